/** Pods with a VM in them, as KubeVirt makes them: only what a migration is told by. */

import { LAUNCHER_PODS, type LauncherPod } from "../../src/controller/launcher_pods.ts";

export interface LauncherOptions {
  readonly namespace?: string;
  /** UID of its VMI; the names of the pods do not matter. */
  readonly vmi?: string;
  /** UID of the migration that it was made for. */
  readonly migration?: string;
  readonly node?: string;
  readonly phase?: string;
  readonly spokes?: readonly string[];
  /** RFC 3339. */
  readonly created?: string;
  readonly deleted?: string;
  /** Laid over the owner reference. */
  readonly owner?: object;
  readonly labels?: object;
}

/** `metadata`, `spec` and `status` of a pod whose UID is `uid-of-<name>`. */
export function launcherObject(name: string, options: LauncherOptions = {}) {
  const { namespace = "default", vmi = "vmi-1", migration, node, phase = "Running" } = options;
  const { spokes = ["a1"], created = "2026-01-31T12:00:00Z", deleted } = options;
  return {
    metadata: {
      ...{ name, namespace, uid: `uid-of-${name}`, resourceVersion: "1" },
      creationTimestamp: created,
      ...(deleted === undefined ? {} : { deletionTimestamp: deleted }),
      labels: {
        ...{ "kubevirt.io": "virt-launcher", "kubevirt.io/created-by": vmi, "app": "db" },
        ...(migration === undefined ? {} : { "kubevirt.io/migrationJobUID": migration }),
        ...options.labels,
      },
      ownerReferences: [{
        ...{ apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", name: "vm" },
        ...{ uid: vmi, controller: true, blockOwnerDeletion: true },
        ...options.owner,
      }],
    },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [{
        name: "compute",
        image: "launcher",
        resources: {
          limits: Object.fromEntries([
            ["devices.kubevirt.io/kvm", "1"],
            ...spokes.map((spoke) => [`macvtap.k8slan.io/${spoke}`, "1"]),
          ]),
        },
      }],
    },
    status: { phase },
  };
}

/** The same as the controller keeps it. */
export function launcherPod(name: string, options: LauncherOptions = {}): LauncherPod {
  return LAUNCHER_PODS.decode(launcherObject(name, options));
}
