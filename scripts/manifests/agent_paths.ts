/** What of the host the agent gets to see, as little as it can do with, and why. */

import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import {
  DEFAULT_CNI_BIN_DIR,
  DEFAULT_KUBELET_DIR,
  DEFAULT_RUN_DIR,
  DEFAULT_STATE_DIR,
} from "../../src/api/names.ts";
import { about } from "./why.ts";

interface HostPath {
  readonly name: string;
  /** On the host. */
  readonly path: string;
  readonly type: "Directory" | "DirectoryOrCreate";
  /** In the container; several, where others name it by several paths. */
  readonly mounts: readonly (Omit<V1VolumeMount, "name" | "mountPath"> & {
    readonly mountPath?: string;
    readonly why: string;
  })[];
}

export const HOST_PATHS: readonly HostPath[] = [
  {
    name: "run",
    path: DEFAULT_RUN_DIR,
    type: "DirectoryOrCreate",
    mounts: [{
      mountPropagation: "Bidirectional",
      why:
        "The socket for the CNI plugin, and the network namespaces of the LANs: mounts that the " +
        "host has to see, as they must outlive this container. Hence Bidirectional, and hence " +
        "privileged.",
    }],
  },
  {
    name: "netns",
    path: "/run/netns",
    type: "DirectoryOrCreate",
    mounts: [
      {
        mountPropagation: "HostToContainer",
        why: "The pods' network namespaces, also of pods that come later; the container runtime " +
          "makes them.",
      },
      {
        mountPath: "/var/run/netns",
        mountPropagation: "HostToContainer",
        why: "The same by the path that container runtimes give.",
      },
    ],
  },
  {
    name: "dev",
    path: "/dev",
    type: "Directory",
    mounts: [{
      why: "The kernel makes /dev/tapN in the host's devtmpfs; the agent checks and chowns it. A " +
        "privileged container's own /dev is a copy from when it was started.",
    }],
  },
  {
    name: "device-plugins",
    path: `${DEFAULT_KUBELET_DIR}/device-plugins`,
    type: "Directory",
    mounts: [{ why: "Kubelet's socket for registering, and the sockets at which it calls back." }],
  },
  {
    name: "pod-resources",
    path: `${DEFAULT_KUBELET_DIR}/pod-resources`,
    type: "Directory",
    mounts: [{ readOnly: true, why: "Kubelet's socket that tells which pod holds which device." }],
  },
  {
    name: "state",
    path: DEFAULT_STATE_DIR,
    type: "DirectoryOrCreate",
    mounts: [{
      why:
        "What is known of LANs and attachments, to work without the API server and after a reboot. " +
        "All of it may be lost.",
    }],
  },
  {
    name: "cni-bin",
    path: DEFAULT_CNI_BIN_DIR,
    type: "DirectoryOrCreate",
    mounts: [{ why: "Where the CNI plugin is installed." }],
  },
];

export function agentVolumes(): V1Volume[] {
  return HOST_PATHS.map(({ name, path, type }) => ({ name, hostPath: { path, type } }));
}

export function agentMounts(): V1VolumeMount[] {
  return HOST_PATHS.flatMap(({ name, path, mounts }) =>
    mounts.map(({ why, mountPath = path, ...mount }) => about(why, { name, mountPath, ...mount }))
  );
}
