/** What stands behind options, checked and in the form the program works with. */

import { InvalidArgumentError } from "commander";
import { isUnicastMac } from "../base/mac.ts";
import { vtepAddress } from "../plan/vtep.ts";
import type { TapOwner } from "../plan/wanted.ts";

/** IFNAMSIZ less the terminating zero. Bytes. */
const IFNAME_MAX = 15;

/** A parser for whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** `UID:GID` */
export function tapOwner(text: string): TapOwner {
  const match = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  const [uid, gid] = [Number(match?.[1]), Number(match?.[2])];
  // The highest number means "leave it as it is" to the kernel.
  if (uid < 2 ** 32 - 1 && gid < 2 ** 32 - 1) return { uid, gid };
  throw new InvalidArgumentError("Expected UID:GID in numbers, such as 107:107.");
}

/** An Ethernet address that an interface may have, in lower case. */
export function unicastMac(text: string): string {
  const mac = text.toLowerCase().replaceAll("-", ":");
  try {
    if (isUnicastMac(mac)) return mac;
  } catch {
    // no address at all: the same complaint
  }
  throw new InvalidArgumentError("Expected a unicast address such as 02:00:5e:10:00:01.");
}

/** An IPv6 address that a node may have, as the kernel writes it. */
export function vtep(text: string): string {
  const address = vtepAddress(text);
  if (address !== undefined) return address;
  throw new InvalidArgumentError("Expected the IPv6 address of a node such as 2001:db8::1.");
}

/** An interface name, by the kernel's rules (dev_valid_name). */
export function interfaceName(text: string): string {
  const isName = text !== "" && text !== "." && text !== ".." && !/[/:\s]/.test(text) &&
    new TextEncoder().encode(text).length <= IFNAME_MAX;
  if (isName) return text;
  throw new InvalidArgumentError(
    `Expected at most ${IFNAME_MAX} bytes without "/", ":" or white space.`,
  );
}

/** `name` or `namespace/name` of a LAN. */
export function lanReference(text: string): string {
  if (/^([a-z0-9-]{1,63}\/)?[a-z0-9-]{1,63}$/.test(text)) return text;
  throw new InvalidArgumentError("Expected NAME or NAMESPACE/NAME of a LAN.");
}

/** Is it a name that Kubernetes gives to nodes: a DNS name? */
export function isNodeName(text: string): boolean {
  return text.length <= 253 &&
    text.split(".").every((part) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(part));
}
