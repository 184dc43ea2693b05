/** Counts what is asked of the agent, what came of it and how long it took. */

import type { AgentRequest } from "../api/agent_protocol.ts";
import { K8slanError } from "../base/errors.ts";
import type { Metric } from "../base/metrics_text.ts";
import type { RequestHandler } from "./socket_server.ts";

interface Count {
  readonly op: AgentRequest["op"];
  /** "ok", or the code of the error. */
  readonly result: string;
  count: number;
  seconds: number;
}

/** Does what `handler` does. */
export class CountedHandler implements RequestHandler {
  readonly #handler: RequestHandler;
  readonly #counts = new Map<string, Count>();

  constructor(handler: RequestHandler) {
    this.#handler = handler;
  }

  async handle(request: AgentRequest): Promise<unknown> {
    const started = performance.now();
    let result = "ok";
    try {
      return await this.#handler.handle(request);
    } catch (error) {
      result = error instanceof K8slanError ? error.code : "Internal";
      throw error;
    } finally {
      this.#add(request.op, result, (performance.now() - started) / 1000);
    }
  }

  undo(request: AgentRequest): Promise<void> {
    return this.#handler.undo(request);
  }

  metrics(): Metric[] {
    const counts = [...this.#counts.values()];
    const samples = (value: (count: Count) => number) =>
      counts.map((entry) => ({
        labels: { op: entry.op, result: entry.result },
        value: value(entry),
      }));
    return [{
      name: "k8slan_agent_requests_total",
      help: "Requests at the agent's socket, by what was asked and what came of it",
      type: "counter",
      samples: samples(({ count }) => count),
    }, {
      name: "k8slan_agent_request_seconds_total",
      help: "Seconds that these took",
      type: "counter",
      samples: samples(({ seconds }) => seconds),
    }];
  }

  #add(op: Count["op"], result: string, seconds: number): void {
    const key = `${op} ${result}`;
    const count = this.#counts.get(key) ?? { op, result, count: 0, seconds: 0 };
    count.count++;
    count.seconds += seconds;
    this.#counts.set(key, count);
  }
}
