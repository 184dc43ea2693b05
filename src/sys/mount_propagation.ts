/** Do mounts made here reach the rest of the machine? (mount_namespaces(7), proc_pid_mountinfo(5)) */

import { K8slanError } from "../base/errors.ts";

/**
 * Throws `K8slanError` "PrivateMounts" when namespaces bound below `directory` would be seen by this
 * process alone: they, and every link in them, would vanish with it.
 */
export function requireSharedMounts(directory: string): void {
  const here = Deno.readTextFileSync("/proc/self/mountinfo");
  if (isSeenByOthers(here, readInitialMounts(), Deno.realPathSync(directory))) return;
  throw new K8slanError(
    "PrivateMounts",
    `Mounts below "${directory}" would be private to this process, and every LAN would vanish when it ends; start the agent in the machine's own mount namespace (systemd: PrivateMounts=no), make the directory's mount shared, or, in a pod, mount it with mountPropagation: Bidirectional`,
  );
}

/**
 * Mountinfo of the first process. Empty when it is hidden, or when the first process is this one,
 * `pid`: in a container of its own, what it has in common with itself proves nothing. Not
 * /proc/1/ns/mnt: reading that takes every capability the first process has, and a sandbox's root
 * lacks some.
 */
export function readInitialMounts(pid: number = Deno.pid): string {
  if (pid === 1) return "";
  try {
    return Deno.readTextFileSync("/proc/1/mountinfo");
  } catch {
    return "";
  }
}

/**
 * Is the mount that holds `path` in a peer group, or in the namespace of the first process?
 * `here` and `initial` are mountinfo of this process and of that one.
 */
export function isSeenByOthers(here: string, initial: string, path: string): boolean {
  const holder = holdingMount(parseMounts(here), path);
  if (holder === undefined) return false;
  // A mount belongs to one namespace, and no two mounts of a machine have the same id.
  return holder.shared || parseMounts(initial).some(({ id }) => id === holder.id);
}

interface Mount {
  readonly id: string;
  readonly point: string;
  readonly shared: boolean;
}

function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").filter((line) => line !== "").map((line) => {
    const fields = line.split(" ");
    const optional = fields.slice(6, fields.indexOf("-"));
    return {
      id: fields[0] ?? "",
      // Blanks are escaped as octal.
      point: (fields[4] ?? "").replaceAll(
        /\\(\d{3})/g,
        (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
      ),
      shared: optional.some((field) => field.startsWith("shared:")),
    };
  });
}

/** The innermost; of mounts on one point the last in the list covers the others. */
function holdingMount(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const { point } = mount;
    const holds = point === "/" || path === point || path.startsWith(`${point}/`);
    if (holds && point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}
