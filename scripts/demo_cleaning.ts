/** Taking away everything that a demo has made, whether this run or one that crashed. */

import type { Shell } from "./demo_shell.ts";
import { exists, PREFIX, RUN_DIR } from "./demo_world.ts";

/** Removes what there is of a demo. Throws unless all of it is gone afterwards. */
export async function clean(shell: Shell): Promise<void> {
  await stopAgents(shell);
  for (const name of await namespaces()) await removeTaps(shell, name);
  for (const path of (await mounts()).reverse()) await shell.run(["umount", "-l", path]);
  for (const name of await namespaces()) await shell.run(["ip", "netns", "del", name]);
  if (await exists(RUN_DIR)) await Deno.remove(RUN_DIR, { recursive: true });
  const left = await leftovers();
  if (left.length > 0) throw new Error(`Still there: ${left.join(", ")}`);
}

/** What there is of a demo, in words. */
export async function leftovers(): Promise<string[]> {
  return [
    ...(await agents()).map((pid) => `process ${pid}`),
    ...(await namespaces()).map((name) => `network namespace ${name}`),
    ...(await mounts()).map((path) => `mount ${path}`),
    ...(await exists(RUN_DIR) ? [`folder ${RUN_DIR}`] : []),
  ];
}

/** Agents leave what is attached as it is, so they go first: they would repair what we remove. */
async function stopAgents(shell: Shell): Promise<void> {
  for (const pid of await agents()) signal(pid, "SIGTERM");
  try {
    await shell.until("the agents have stopped", async () => (await agents()).length === 0);
  } catch {
    for (const pid of await agents()) signal(pid, "SIGKILL");
    await shell.until("the agents are dead", async () => (await agents()).length === 0);
  }
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it ended meanwhile
  }
}

/** Processes that were told to work in the demo's folder. */
async function agents(): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const words = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => ""); // ended
    const args = words.split("\0");
    if (args.includes("agent") && args.some((arg) => arg.startsWith(`${RUN_DIR}/`))) {
      found.push(Number(name));
    }
  }
  return found;
}

/** Namespaces go in their own time; /dev/tapN is to be gone when we say so. */
async function removeTaps(shell: Shell, namespace: string): Promise<void> {
  const { stdout } = await shell.try([
    "ip",
    "-n",
    namespace,
    "-j",
    "link",
    "show",
    "type",
    "macvtap",
  ]);
  if (stdout.trim() === "") return; // a name that a crash has left without its namespace
  for (const { ifname } of JSON.parse(stdout)) {
    await shell.run(["ip", "-n", namespace, "link", "del", "dev", ifname]);
  }
}

async function namespaces(): Promise<string[]> {
  if (!await exists("/run/netns")) return [];
  const names = await Array.fromAsync(Deno.readDir("/run/netns"), ({ name }) => name);
  return names.filter((name) => name.startsWith(PREFIX)).sort();
}

/** Mounts in the demo's folder, such as the agents' namespaces, outermost first. */
async function mounts(): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${RUN_DIR}/`));
}
