/** Kernel parameters of the namespace of the calling thread (sysctl(8)). */

/** `sysctl net.FAMILY.conf.LINK.KEY`; undefined where there is no such parameter. */
export function readLinkSysctl(
  family: "ipv4" | "ipv6",
  link: string,
  key: string,
): number | undefined {
  try {
    return Number(Deno.readTextFileSync(linkSysctl(family, link, key)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** `sysctl -w net.FAMILY.conf.LINK.KEY=VALUE`; link names may hold dots, so this takes them apart. */
export function writeLinkSysctl(
  family: "ipv4" | "ipv6",
  link: string,
  key: string,
  value: number,
): void {
  const path = linkSysctl(family, link, key);
  try {
    Deno.writeTextFileSync(path, `${value}\n`, { create: false });
  } catch (error) {
    // A kernel without IPv6 has no such parameter, and nothing to switch off.
    if (family === "ipv6" && error instanceof Deno.errors.NotFound) return;
    throw new Error(`Cannot set "${path}" to ${value}`, { cause: error });
  }
}

function linkSysctl(family: string, link: string, key: string): string {
  return `/proc/sys/net/${family}/conf/${link}/${key}`;
}
