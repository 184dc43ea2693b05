/** What all rows share: labs and clusters that go away whatever happens, programs, progress. */

// deno-lint-ignore-file no-console -- progress goes to standard error

import { describe } from "../../src/base/errors.ts";
import { ApiServer } from "../../tests/support/api_server.ts";
import { startCluster, type TestCluster } from "../../tests/support/cluster.ts";
import { createLab, type Lab, type LabOptions } from "../../tests/support/netns_lab.ts";
import { runProgram } from "../../tests/support/lab_process.ts";

const HERE = new URL(".", import.meta.url).pathname;
export const ROOT = new URL("../..", import.meta.url).pathname;
const GO_PROGRAM = `${ROOT}.cache/lan_go`;
/** The built program. */
export const EXECUTABLE = `${ROOT}dist/k8slan`;

export interface BenchOptions {
  /** Few repetitions: to see that everything runs, not for figures. */
  readonly quick: boolean;
}

export class Bench {
  readonly quick: boolean;
  readonly #open = new Set<AsyncDisposable>();

  constructor({ quick }: BenchOptions) {
    this.quick = quick;
  }

  /** The result of `use` with a lab that is removed afterwards. */
  withLab<T>(options: LabOptions, use: (lab: Lab) => Promise<T>): Promise<T> {
    return this.#withOpen(createLab(options), use);
  }

  /** The result of `use` with a cluster of two nodes that is removed afterwards. */
  withCluster<T>(use: (cluster: TestCluster) => Promise<T>): Promise<T> {
    return this.#withOpen(startCluster({ nodes: 2 }), use);
  }

  /** The result of `use` with an API server that is removed afterwards. */
  withApiServer<T>(use: (server: ApiServer) => Promise<T>): Promise<T> {
    return this.#withOpen(ApiServer.start(), use);
  }

  async #withOpen<R extends AsyncDisposable, T>(
    opening: Promise<R>,
    use: (opened: R) => Promise<T>,
  ): Promise<T> {
    const opened = await opening;
    this.#open.add(opened);
    try {
      return await use(opened);
    } finally {
      if (this.#open.delete(opened)) await opened[Symbol.asyncDispose]();
    }
  }

  /** Removes what is under way, before the process is ended by a signal. */
  async abandon(): Promise<void> {
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map((one) => one[Symbol.asyncDispose]()));
  }

  /** The command of our side of row "lan"; its LANs' namespaces live in `netnsDir`. */
  worker(netnsDir: string): string[] {
    const flags = ["-A", "--no-check", "--quiet", "--no-prompt", "--config", `${ROOT}deno.json`];
    return [Deno.execPath(), "run", ...flags, `${HERE}worker.ts`, netnsDir];
  }

  /** Path of the built Go program; undefined, with the reason printed, where it cannot be built. */
  async goProgram(): Promise<string | undefined> {
    try {
      const build = `cd ${HERE}lan_go && exec go build -o ${GO_PROGRAM} .`;
      await runProgram(["sh", "-c", build]);
      return GO_PROGRAM;
    } catch (error) {
      this.note(`no comparison with the Go netlink library: ${describe(error)}`);
      return undefined;
    }
  }

  note(text: string): void {
    console.error(`bench: ${text}`);
  }
}

/** A gap between two measurements, in which the kernel ends what the first left to it. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
