/** The character device of a macvtap: proved, then given away. */

import { K8slanError } from "../base/errors.ts";
import type { OwnTap } from "../plan/ops.ts";
import type { Netns } from "../sys/netns.ts";
import { readTapDevice, splitDeviceNumber } from "../sys/tap_device.ts";

/** Proves the device and hands it to its owner, readable and writable by nobody else. */
export function ownTap(op: OwnTap, netns: Netns): void {
  const path = verifyTap(netns, op.name, op.index);
  Deno.chmodSync(path, 0o600);
  Deno.chownSync(path, op.owner.uid, op.owner.gid);
}

/**
 * The path of the device. Throws `K8slanError` when it leads elsewhere: /dev is shared by all
 * namespaces, and of two macvtaps with one index the node leads to the first, although the second
 * is created all the same. So the device numbers are compared before anyone is let in.
 */
export function verifyTap(netns: Netns, ifname: string, index: number): string {
  const path = `/dev/tap${index}`;
  const { major, minor } = readTapDevice(netns, ifname, index);
  let node: Deno.FileInfo;
  try {
    node = Deno.lstatSync(path);
  } catch (cause) {
    throw new K8slanError(
      "TapMissing",
      `"${path}" of interface "${ifname}" does not exist; /dev must be the host's devtmpfs`,
      { cause },
    );
  }
  const found = splitDeviceNumber(node.rdev ?? 0);
  if (found.major !== major || found.minor !== minor) {
    throw new K8slanError(
      "TapClash",
      `"${path}" is device ${found.major}:${found.minor}, but interface "${ifname}" is ${major}:${minor}: another macvtap on this machine has the same index`,
      { retriable: true },
    );
  }
  return path;
}
