/** Pods, as far as tests look at them. */

import type { KubeObject } from "../../src/kube/objects.ts";
import { resource } from "../../src/kube/resource.ts";

export interface PodObject extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly PodCondition[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

export const PODS = resource<PodObject>({
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Pod",
  namespaced: true,
});

export function isPodReady({ status }: PodObject): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True";
}
