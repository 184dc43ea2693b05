/** Kernel parameters of the namespace of the calling thread (sysctl(8)). */

/** `sysctl -w net.FAMILY.conf.LINK.KEY=VALUE`; link names may hold dots, so this takes them apart. */
export function writeLinkSysctl(
  family: "ipv4" | "ipv6",
  link: string,
  key: string,
  value: number,
): void {
  const path = `/proc/sys/net/${family}/conf/${link}/${key}`;
  try {
    Deno.writeTextFileSync(path, `${value}\n`, { create: false });
  } catch (error) {
    // A kernel without IPv6 has no such parameter, and nothing to switch off.
    if (family === "ipv6" && error instanceof Deno.errors.NotFound) return;
    throw new Error(`Cannot set "${path}" to ${value}`, { cause: error });
  }
}
