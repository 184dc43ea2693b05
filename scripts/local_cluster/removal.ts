/** Taking away all of a cluster: processes, namespaces, mounts, control groups and its folder. */

import { runProgram } from "../../tests/support/lab_process.ts";
import { until } from "../../tests/support/until.ts";
import { cgroupProcesses, removeCgroup } from "./cgroups.ts";
import type { ClusterLayout } from "./layout.ts";

/** Removes what there is, whole or half made, and nothing else. Twice is as good as once. */
export async function removeCluster(layout: ClusterLayout): Promise<void> {
  // What a process that was killed had started, such as tar, may still be at work for a moment.
  await until(`"${layout.dir}" is gone`, () => removeOnce(layout).then(() => true), {
    timeout: 30_000,
    interval: 100,
  });
}

async function removeOnce({ dir, cgroup }: ClusterLayout): Promise<void> {
  await until(`no process of "${dir}" is left`, async () => {
    const found = [...await cgroupProcesses(cgroup), ...await processesIn(await namespaces(dir))];
    for (const pid of found) kill(pid);
    return found.length === 0;
  });
  const mounts = await mountsIn(dir);
  // The innermost first; several on one place are listed as often.
  if (mounts.length > 0) await runProgram(["umount", "-l", ...mounts.toReversed()]);
  await removeCgroup(cgroup);
  const left = await mountsIn(dir);
  if (left.length > 0) throw new Error(`Still mounted: ${left.join(", ")}`);
  await Deno.remove(dir, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function mountsIn(dir: string): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${dir}/`));
}

/** Inodes of the namespaces that files of the cluster hold. */
async function namespaces(dir: string): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  for (const line of (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const path = before.split(" ")[4] ?? "";
    if (!after.startsWith("nsfs ") || !path.startsWith(`${dir}/`)) continue;
    const { ino } = await Deno.stat(path);
    if (ino !== null) found.add(ino);
  }
  return found;
}

/** Also what a test or a person has started in there, which is in no group of ours. */
async function processesIn(namespaces: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    for (const kind of ["net", "mnt", "uts"]) {
      try {
        const { ino } = await Deno.stat(`/proc/${name}/ns/${kind}`);
        if (ino === null || !namespaces.has(ino)) continue;
        found.push(Number(name));
        break;
      } catch {
        break; // ended meanwhile
      }
    }
  }
  return found;
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
