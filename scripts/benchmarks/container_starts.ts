/** When containers of a node begin to run, by the events of containerd: to the microsecond. */

import type { ClusterNode } from "../../tests/support/cluster_node.ts";
import type { LabProcess } from "../../tests/support/lab_process.ts";
import { until } from "../../tests/support/until.ts";

const TIMEOUT_MS = 60_000;

export interface ContainerStart {
  readonly id: string;
  /** As `Date.now()`, with what is less than a millisecond. */
  readonly at: number;
}

/** The start that a line of `ctr events` tells of; undefined if it tells of something else. */
export function parseStart(line: string): ContainerStart | undefined {
  // 2026-01-31 12:00:00.123456789 +0000 UTC k8s.io /tasks/start {"container_id":"…","pid":1}
  const parts = /^(\S+) (\S+) \+0000 UTC \S+ \/tasks\/start (\{.*\})$/.exec(line);
  if (parts === null) return undefined;
  const [, day, time = "", text = ""] = parts;
  const { container_id: id } = JSON.parse(text);
  const [clock, fraction = "0"] = time.split(".");
  return { id, at: Date.parse(`${day}T${clock}Z`) + Number(`0.${fraction}`) * 1000 };
}

export class ContainerStarts implements AsyncDisposable {
  readonly #events: LabProcess;

  constructor(node: ClusterNode) {
    this.#events = node.spawn(["ctr", "-n", "k8s.io", "events"]);
  }

  #all(): ContainerStart[] {
    return this.#events.stdout.split("\n").flatMap((line) => parseStart(line) ?? []);
  }

  /** When the container of that id started. */
  async of(id: string): Promise<number> {
    const found = await until(
      `containerd tells of container ${id}`,
      () => this.#all().find((start) => start.id === id),
      { timeout: TIMEOUT_MS },
    );
    return found.at;
  }

  /** When the first container after a moment started. */
  async after(moment: number): Promise<number> {
    const found = await until(
      "containerd tells of another container",
      () => this.#all().find(({ at }) => at > moment),
      { timeout: TIMEOUT_MS },
    );
    return found.at;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events[Symbol.asyncDispose]();
  }
}
