/** The annotation that tells which interfaces a pod has got. */

import type { CniResult } from "./delegate.ts";

/** One element of the annotation. */
export interface NetworkStatus {
  readonly name: string;
  readonly interface: string;
  readonly ips: readonly string[];
  readonly mac?: string;
  readonly mtu?: number;
  readonly default?: true;
  readonly dns: unknown;
}

/** What a result tells about the interface inside the pod; `ifname` where it tells nothing. */
export function networkStatus(
  name: string,
  ifname: string,
  result: CniResult,
  isDefault: boolean,
): NetworkStatus {
  const interfaces = result.interfaces ?? [];
  const at = interfaces.findIndex(({ sandbox }) => sandbox !== undefined && sandbox !== "");
  const inPod = interfaces[at];
  const ips = (result.ips ?? []).filter((ip) => ip.interface === undefined || ip.interface === at);
  return {
    name,
    interface: inPod?.name ?? ifname,
    ips: ips.map(({ address }) => address.replace(/\/.*/, "")),
    ...(inPod?.mac ? { mac: inPod.mac } : {}),
    ...(inPod?.mtu ? { mtu: inPod.mtu } : {}),
    ...(isDefault ? { default: true } : {}),
    dns: result.dns ?? {},
  };
}
