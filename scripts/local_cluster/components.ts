/**
 * The daemons of a cluster. Each has a folder in the state folder with `run`, the script that is it,
 * `ready`, the one that tells whether it does its work, `log` and `pid`: so any process can look after
 * them, and a person can read how they were started.
 */

import { runProgram } from "../../tests/support/lab_process.ts";
import { until } from "../../tests/support/until.ts";
import { cgroupHierarchies, makeCgroup } from "./cgroups.ts";
import type { ClusterLayout } from "./layout.ts";

export interface ComponentSpec {
  /** `apiserver`, or with the node that it belongs to: `kubelet.worker1`. */
  readonly name: string;
  /** The program and its arguments, with the command in front that enters its namespaces. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What succeeds when it does its work, run in the same environment. */
  readonly ready: readonly string[];
  /** Control group, below the cluster's. */
  readonly cgroup: string;
}

export interface ComponentUsage {
  readonly pid: number;
  /** Resident memory. Bytes. */
  readonly memory: number;
  /** Processor time since it was started. Seconds. */
  readonly cpu: number;
}

const START_MS = 60_000;
const STOP_MS = 10_000;
const LOG_LINES = 20;

export class Components {
  readonly #layout: ClusterLayout;

  constructor(layout: ClusterLayout) {
    this.#layout = layout;
  }

  /** Names of all that have been defined. */
  async names(): Promise<readonly string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.#root)).catch(() => []);
    return entries.map(({ name }) => name).sort();
  }

  /** Writes down how it is started, and makes its control group. */
  async define(spec: ComponentSpec): Promise<void> {
    const cgroup = `${this.#layout.cgroup}/${spec.cgroup}`;
    await makeCgroup(cgroup);
    const folder = this.#folder(spec.name);
    await Deno.mkdir(folder, { recursive: true });
    const groups = (await cgroupHierarchies()).map((path) => `${path}/${cgroup}/cgroup.procs`);
    const write = (file: string, text: string) =>
      Deno.writeTextFile(`${folder}/${file}`, text, { mode: 0o755 });
    await write("run", runScript(folder, groups, spec));
    await write("ready", `#!/bin/sh\nexec ${cleanly(spec.env, spec.ready)}\n`);
  }

  /**
   * Starts it, unless it runs, and waits until it does its work; it outlives this process. Throws with
   * the path and last lines of its log.
   */
  async start(name: string): Promise<void> {
    const folder = this.#folder(name);
    try {
      if (await this.pid(name) === undefined) {
        await Deno.remove(`${folder}/pid`).catch(() => {});
        await runProgram(["setsid", "--fork", `${folder}/run`]);
        await until(`${name} has begun`, () => this.pid(name));
      }
      let hasEnded = false;
      await until(`${name} is ready`, async () => {
        hasEnded = await this.pid(name) === undefined;
        return hasEnded || await runProgram([`${folder}/ready`]).then(() => true);
      }, { timeout: START_MS, interval: 50 });
      if (hasEnded) throw new Error(`${name} has ended`);
    } catch (cause) {
      const lines = (await this.log(name)).trimEnd().split("\n").slice(-LOG_LINES);
      throw new Error(
        `${name} does not come up; last lines of ${this.logPath(name)}:\n${lines.join("\n")}`,
        { cause },
      );
    }
  }

  /** Ends it by SIGTERM, and by SIGKILL if that takes too long or `signal` says so. */
  async stop(name: string, signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await this.signal(name, signal);
    await until(`${name} has ended`, async () => await this.pid(name) === undefined, {
      timeout: STOP_MS,
    }).catch(async () => {
      await this.signal(name, "SIGKILL");
      await until(`${name} has ended`, async () => await this.pid(name) === undefined);
    });
  }

  /** Sends a signal, if it runs. */
  async signal(name: string, signal: Deno.Signal): Promise<void> {
    const pid = await this.pid(name);
    if (pid === undefined) return;
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Its process, or undefined when it does not run. */
  async pid(name: string): Promise<number | undefined> {
    try {
      const pid = Number(await Deno.readTextFile(`${this.#folder(name)}/pid`));
      // The number may have gone to another process long ago.
      const groups = await Deno.readTextFile(`/proc/${pid}/cgroup`);
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      const isZombie = stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
      return groups.includes(`/${this.#layout.cgroup}/`) && !isZombie ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  async usage(name: string): Promise<ComponentUsage | undefined> {
    const pid = await this.pid(name);
    if (pid === undefined) return undefined;
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? "0";
    return {
      pid,
      memory: Number(resident) * 1024,
      cpu: (Number(fields[11]) + Number(fields[12])) / 100, // USER_HZ is 100 everywhere
    };
  }

  logPath(name: string): string {
    return `${this.#folder(name)}/log`;
  }

  async log(name: string): Promise<string> {
    return await Deno.readTextFile(this.logPath(name)).catch(() => "");
  }

  get #root(): string {
    return `${this.#layout.dir}/components`;
  }

  #folder(name: string): string {
    return `${this.#root}/${name}`;
  }
}

/** A check that something accepts connections to a port of its loopback. */
export function accepts(port: number): readonly string[] {
  return ["busybox", "nc", "127.0.0.1", String(port), "-e", "true"];
}

/** A check that a path there is served. */
export function serves(port: number, path: string): readonly string[] {
  return ["busybox", "wget", "-q", "-O-", `http://127.0.0.1:${port}${path}`];
}

/** What enters the groups, says its number and becomes the component. */
function runScript(
  folder: string,
  groups: readonly string[],
  { command, env }: ComponentSpec,
): string {
  return [
    "#!/bin/sh",
    "set -eu",
    "cd /",
    `exec >>${quote(`${folder}/log`)} 2>&1 </dev/null`,
    ...groups.map((path) => `echo $$ >${quote(path)}`),
    `echo $$ >${quote(`${folder}/pid.new`)}`,
    `mv ${quote(`${folder}/pid.new`)} ${quote(`${folder}/pid`)}`,
    `exec ${cleanly(env, command)}`,
    "",
  ].join("\n");
}

/** The text of a command that has no environment but `env`. */
function cleanly(env: Readonly<Record<string, string>>, command: readonly string[]): string {
  const words = ["env", "-i", ...Object.entries(env).map(([key, value]) => `${key}=${value}`)];
  return [...words, ...command].map(quote).join(" \\\n  ");
}

/** `word` as one word of a shell. */
export function quote(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
