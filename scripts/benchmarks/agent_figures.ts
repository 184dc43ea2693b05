/** What an agent in a cluster tells Prometheus. */

import { DEFAULT_AGENT_HEALTH_PORT } from "../../src/api/names.ts";
import type { StageNode } from "./cluster_stage.ts";

/** The value of each line of metrics, by the rest of it: `name` or `name{label="value"}`. */
export function parseMetrics(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

export class AgentFigures {
  readonly #values: ReadonlyMap<string, number>;

  private constructor(values: ReadonlyMap<string, number>) {
    this.#values = values;
  }

  /** Those of the agent of a node, now. */
  static async read({ product: { node } }: StageNode): Promise<AgentFigures> {
    const url = `http://127.0.0.1:${DEFAULT_AGENT_HEALTH_PORT}/metrics`;
    return new AgentFigures(parseMetrics(await node.run(["busybox", "wget", "-q", "-O-", url])));
  }

  /** Lists of devices and registrations that kubelet was sent. */
  get messages(): number {
    return this.#value("k8slan_agent_device_registrations_total") +
      this.#value("k8slan_agent_device_lists_total");
  }

  /** Interfaces made, and how long that took in the agent. */
  get adds(): { readonly count: number; readonly ms: number } {
    const labels = '{op="add",result="ok"}';
    return {
      count: this.#values.get(`k8slan_agent_requests_total${labels}`) ?? 0,
      ms: (this.#values.get(`k8slan_agent_request_seconds_total${labels}`) ?? 0) * 1000,
    };
  }

  #value(name: string): number {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`The agent does not tell "${name}"`);
    return value;
  }
}
