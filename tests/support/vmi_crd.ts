/** VirtualMachineInstances without KubeVirt: an object that pods can belong to, and nothing more. */

const GROUP = "kubevirt.io";
const PLURAL = "virtualmachineinstances";

export const VMI_KIND = "VirtualMachineInstance";
export const VMI_API_VERSION = `${GROUP}/v1`;
export const VMI_CRD_NAME = `${PLURAL}.${GROUP}`;

export function vmiCrd() {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: VMI_CRD_NAME },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: { kind: VMI_KIND, plural: PLURAL, singular: "virtualmachineinstance" },
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object" } },
      }],
    },
  };
}

/** What KubeVirt writes into `metadata` of the pods of a VMI. */
export function launcherMeta(vmi: { readonly name: string; readonly uid: string }, job?: string) {
  return {
    labels: {
      "kubevirt.io": "virt-launcher",
      "kubevirt.io/created-by": vmi.uid,
      ...(job === undefined ? {} : { "kubevirt.io/migrationJobUID": job }),
    },
    ownerReferences: [{
      ...{ apiVersion: VMI_API_VERSION, kind: VMI_KIND, ...vmi },
      ...{ controller: true, blockOwnerDeletion: true },
    }],
  };
}
