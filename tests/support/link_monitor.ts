/** Every change of links and addresses in some namespaces, as `ip monitor` prints them. */

import type { Lab } from "./netns_lab.ts";
import type { LabProcess } from "./lab_process.ts";
import { until } from "./until.ts";

export class LinkMonitor {
  readonly #lab: Lab;
  readonly #monitors: readonly { readonly netns: string; readonly process: LabProcess }[];

  private constructor(lab: Lab, paths: readonly string[]) {
    this.#lab = lab;
    this.#monitors = paths.map((netns) => ({
      netns,
      process: lab.spawn(netns, ["ip", "-o", "monitor", "link", "address"]),
    }));
  }

  /** Returns when nothing more can be missed. Ends with the lab. */
  static async start(lab: Lab, paths: readonly string[]): Promise<LinkMonitor> {
    const monitor = new LinkMonitor(lab, paths);
    await monitor.#mark("mark0");
    return monitor;
  }

  /** What has changed since, one line each. */
  async changes(): Promise<string[]> {
    await this.#mark("mark1");
    return this.#monitors.flatMap(({ netns, process }) =>
      process.output.split("\n")
        .filter((line) => line.trim() !== "" && !/\bmark[01]\b/.test(line))
        .map((line) => `${netns}: ${line}`)
    );
  }

  /** Makes a change that is easily told from others, until it has been seen. */
  async #mark(name: string): Promise<void> {
    await Promise.all(
      this.#monitors.map(({ netns, process }) =>
        until(`the monitor of "${netns}" is at work`, async () => {
          await this.#lab.run(netns, [
            ...["sh", "-euc", `ip link add ${name} type bridge; ip link del ${name}`],
          ]);
          return process.output.includes(`Deleted`) && process.output.includes(name);
        })
      ),
    );
  }
}
