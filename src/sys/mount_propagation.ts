/** Do mounts made here reach the rest of the machine? (mount_namespaces(7), proc_pid_mountinfo(5)) */

import { K8slanError } from "../base/errors.ts";

/**
 * Throws `K8slanError` "PrivateMounts" when namespaces bound below `directory` would be seen by this
 * process alone: they, and every link in them, would vanish with it.
 */
export function requireSharedMounts(directory: string): void {
  if (isInitialMountNamespace()) return;
  const mountinfo = Deno.readTextFileSync("/proc/self/mountinfo");
  if (isSharedMount(mountinfo, Deno.realPathSync(directory))) return;
  throw new K8slanError(
    "PrivateMounts",
    `Mounts below "${directory}" would be private to this process, and every LAN would vanish when it ends; start the agent in the machine's own mount namespace (systemd: PrivateMounts=no) or make the directory's mount shared`,
  );
}

function isInitialMountNamespace(): boolean {
  try {
    return Deno.readLinkSync("/proc/self/ns/mnt") === Deno.readLinkSync("/proc/1/ns/mnt");
  } catch {
    return false;
  }
}

/** Is the mount that holds `path` in a peer group? Mount points in mountinfo escape blanks as octal. */
export function isSharedMount(mountinfo: string, path: string): boolean {
  let longest = -1;
  let shared = false;
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    const point = fields[4]?.replaceAll(
      /\\(\d{3})/g,
      (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
    );
    if (point === undefined) continue;
    const holds = point === "/" || path === point || path.startsWith(`${point}/`);
    // Of mounts on one point the last in the list covers the others.
    if (!holds || point.length < longest) continue;
    longest = point.length;
    shared = fields.slice(6, fields.indexOf("-")).some((field) => field.startsWith("shared:"));
  }
  return shared;
}
