/** Control groups of a cluster, in version 1, 2 or a mixture: the sure way to find all processes. */

import { until } from "../../tests/support/until.ts";

const ROOT = "/sys/fs/cgroup";

/** Mount points of all hierarchies, each once. */
export async function cgroupHierarchies(): Promise<readonly string[]> {
  return parseHierarchies(await Deno.readTextFile("/proc/self/mountinfo"));
}

/** As `cgroupHierarchies`, from the text of mountinfo. */
export function parseHierarchies(mountinfo: string): readonly string[] {
  const found = new Map<string, string>();
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device = "", , path = ""] = before.split(" ");
    const isCgroup = after.startsWith("cgroup ") || after.startsWith("cgroup2 ");
    if (isCgroup && (path === ROOT || path.startsWith(`${ROOT}/`)) && !found.has(device)) {
      found.set(device, path);
    }
  }
  return [...found.values()];
}

/** Makes the group `path` in every hierarchy, with every controller at hand. */
export async function makeCgroup(path: string): Promise<void> {
  const names = path.split("/");
  for (const hierarchy of await cgroupHierarchies()) {
    for (let depth = 1; depth <= names.length; depth++) {
      const parent = [hierarchy, ...names.slice(0, depth - 1)].join("/");
      await enableControllers(parent);
      await Deno.mkdir(`${parent}/${names[depth - 1]}`, { recursive: true });
      await fillCpuset(parent, `${parent}/${names[depth - 1]}`);
    }
  }
}

/** Version 2: a group's children have only what it passes on. */
async function enableControllers(group: string): Promise<void> {
  const controllers = await Deno.readTextFile(`${group}/cgroup.controllers`).catch(() => "");
  for (const name of controllers.split(/\s+/).filter((name) => name !== "")) {
    // One that can't be passed on is missed by kubelet, which says so.
    await Deno.writeTextFile(`${group}/cgroup.subtree_control`, `+${name}`).catch(() => {});
  }
}

/** Version 1: a new group of "cpuset" has no processor and no memory, and takes no process. */
async function fillCpuset(parent: string, group: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = await Deno.readTextFile(`${group}/${file}`).catch(() => undefined);
    if (own === undefined || own.trim() !== "" || await isVersion2(group)) continue;
    await Deno.writeTextFile(`${group}/${file}`, await Deno.readTextFile(`${parent}/${file}`));
  }
}

async function isVersion2(group: string): Promise<boolean> {
  return await Deno.stat(`${group}/cgroup.controllers`).then(() => true, () => false);
}

/** All processes in the group `path` and below. */
export async function cgroupProcesses(path: string): Promise<readonly number[]> {
  const found = new Set<number>();
  for (const hierarchy of await cgroupHierarchies()) {
    for (const group of await groupsBelow(`${hierarchy}/${path}`)) {
      const text = await Deno.readTextFile(`${group}/cgroup.procs`).catch(() => ""); // gone
      for (const pid of text.split("\n").filter((line) => line !== "")) found.add(Number(pid));
    }
  }
  return [...found];
}

/** Removes the group `path` and all below, which must be without processes. */
export async function removeCgroup(path: string): Promise<void> {
  for (const hierarchy of await cgroupHierarchies()) {
    await until(`control group "${hierarchy}/${path}" is gone`, async () => {
      // A process that has just ended keeps its group busy for a moment.
      for (const group of (await groupsBelow(`${hierarchy}/${path}`)).toReversed()) {
        await Deno.remove(group);
      }
      return true;
    });
  }
}

/** The group and all below, parents first. */
async function groupsBelow(group: string): Promise<string[]> {
  const found: string[] = [];
  const open = [group];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    try {
      for await (const { name, isDirectory } of Deno.readDir(path)) {
        if (isDirectory) open.push(`${path}/${name}`);
      }
      found.push(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}
