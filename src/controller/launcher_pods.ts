/** The pods that VMs of KubeVirt run in: of each no more is kept than a migration is told by. */

import { RESOURCE_PREFIX } from "../api/names.ts";
import type { KubeObject } from "../kube/objects.ts";
import { isRecord, type Resource } from "../kube/resource.ts";
import { PODS } from "../kube/resources.ts";
import { at, textAt } from "./pod_fields.ts";

/** Labels that KubeVirt gives its pods. */
const LAUNCHER_LABEL = "kubevirt.io";
const VMI_LABEL = "kubevirt.io/created-by";
/** On the pod that a migration moves its VM to, and ever after. */
const MIGRATION_LABEL = "kubevirt.io/migrationJobUID";
const VMI_GROUP = "kubevirt.io/";
const VMI_KIND = "VirtualMachineInstance";

/** Selects pods with a VM in them; where there is no KubeVirt, none. */
export const LAUNCHERS_SELECTOR = `${LAUNCHER_LABEL}=virt-launcher`;

export interface LauncherPod extends KubeObject {
  /** UID of the VMI that it belongs to; absent unless label and owner agree. */
  readonly vmi?: string;
  /** UID of the migration that it was made for; absent for the pod that a VM starts in. */
  readonly migration?: string;
  /** As soon as it has one. */
  readonly node?: string;
  /** Whether it has ended, and so will never run again. */
  readonly isFinished: boolean;
  /** Spokes whose devices it asks for. */
  readonly spokes: readonly string[];
}

/** To be watched with `LAUNCHERS_SELECTOR`. */
export const LAUNCHER_PODS: Resource<LauncherPod> = { ...PODS, decode: decodeLauncher };

function decodeLauncher(value: unknown): LauncherPod {
  const { apiVersion, kind, metadata } = PODS.decode(value);
  const { name, namespace = "", uid, resourceVersion, creationTimestamp } = metadata;
  const { deletionTimestamp, labels = {}, ownerReferences = [] } = metadata;
  const vmi = labels[VMI_LABEL];
  const isOwned = ownerReferences.some((owner) =>
    owner.uid === vmi && owner.kind === VMI_KIND && owner.controller === true &&
    owner.apiVersion.startsWith(VMI_GROUP)
  );
  const migration = labels[MIGRATION_LABEL];
  const node = textAt(value, "spec", "nodeName");
  const phase = textAt(value, "status", "phase");
  return {
    ...{ apiVersion, kind },
    metadata: {
      ...{ name, namespace, uid, resourceVersion, creationTimestamp },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    ...(vmi !== undefined && isOwned ? { vmi } : {}),
    ...(migration === undefined || migration === "" ? {} : { migration }),
    ...(node === undefined ? {} : { node }),
    isFinished: phase === "Succeeded" || phase === "Failed",
    spokes: spokesOf(value),
  };
}

/** Of all containers; what is limited is requested. */
function spokesOf(pod: unknown): readonly string[] {
  const containers = at(at(pod, "spec"), "containers");
  if (!Array.isArray(containers)) return [];
  const names = containers.flatMap((container) => {
    const limits = at(at(container, "resources"), "limits");
    return isRecord(limits) ? Object.keys(limits) : [];
  });
  const prefix = `${RESOURCE_PREFIX}/`;
  const ours = names.filter((name) => name.startsWith(prefix));
  return [...new Set(ours.map((name) => name.slice(prefix.length)))].sort();
}
