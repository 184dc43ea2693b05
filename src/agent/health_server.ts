/** Tells kubelet whether the agent lives and is ready, and Prometheus how it does. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Metric, METRICS_TYPE, metricsText } from "../base/metrics_text.ts";
import { type PageAnswer, problemPage, startPageServer } from "../base/page_server.ts";

export interface HealthServerOptions {
  /** Of the loopback; 0 for any free one. */
  readonly port: number;
  /**
   * Throws when the agent can't do its work and only a restart could help. Must not depend on anybody
   * else: an API server that is away is no reason to end an agent.
   */
  readonly selfTest: () => void;
  /** What new pods would miss, by name: why it is not there yet, undefined if it is. */
  readonly checks: Readonly<Record<string, () => string | undefined>>;
  readonly metrics: () => Iterable<Metric>;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Anybody on the node may ask, any number of times. */
const TEST_EVERY_MS = 1_000;
/** The port is the host's: another program may have it for a while. */
const RETRY_MS = 10_000;

/**
 * `/healthz`: that it answers at all shows that the event loop runs; besides, the self-test.
 * `/readyz`: the same and the checks. `/metrics`: Prometheus' text format.
 */
export class HealthServer {
  readonly #options: HealthServerOptions;
  readonly #clock: Clock;
  #tested: { readonly at: number; readonly problems: readonly string[] } | undefined;
  #port: number | undefined;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Where it listens, while it does. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Serves until `signal` fires. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { port, log } = this.#options;
    const pages = {
      "/healthz": () => problemPage(this.#testProblems()),
      "/readyz": () => problemPage([...this.#testProblems(), ...this.#checkProblems()]),
      "/metrics": () => this.#metricsPage(),
    };
    let isFirst = true;
    while (!signal.aborted) {
      try {
        const server = startPageServer({ pages, hostname: "127.0.0.1", port, log });
        this.#port = server.addr.port;
        const stop = () => void server.shutdown();
        signal.addEventListener("abort", stop, { once: true });
        if (!isFirst) log.info("Serving health at last", { port });
        await server.finished;
        signal.removeEventListener("abort", stop);
        this.#port = undefined;
      } catch (error) {
        if (isFirst) {
          log.warn("Cannot serve health; trying again", { port, error: describe(error) });
        }
        isFirst = false;
      }
      if (!signal.aborted) await this.#clock.sleep(RETRY_MS, signal);
    }
  }

  #testProblems(): readonly string[] {
    const now = this.#clock.now();
    if (this.#tested === undefined || now - this.#tested.at >= TEST_EVERY_MS) {
      let problems: readonly string[] = [];
      try {
        this.#options.selfTest();
      } catch (error) {
        problems = [`self-test: ${describe(error)}`];
      }
      this.#tested = { at: now, problems };
    }
    return this.#tested.problems;
  }

  #checkProblems(): string[] {
    return Object.entries(this.#options.checks).flatMap(([name, check]) => {
      const problem = check();
      return problem === undefined ? [] : [`${name}: ${problem}`];
    });
  }

  #metricsPage(): PageAnswer {
    const body = metricsText(this.#options.metrics());
    return { status: 200, body, contentType: METRICS_TYPE };
  }
}
