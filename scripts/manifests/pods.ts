/** Parts of both workloads' pods. */

import type { V1Probe, V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import { why } from "./why.ts";

/** `host`: where kubelet connects to, if not to the pod. */
export function httpProbe(path: string, port: number, host?: string): V1Probe {
  return {
    httpGet: { path, port, ...(host === undefined ? {} : { host }) },
    timeoutSeconds: 5,
  };
}

export const TEMPORARY_VOLUME: V1Volume = {
  name: "tmp",
  emptyDir: why({ medium: "Nothing of it is worth a disk." }, {
    medium: "Memory",
    sizeLimit: "64Mi",
  }),
};

export const TEMPORARY_MOUNT: V1VolumeMount = { name: "tmp", mountPath: "/tmp" };
