/** One daemon of a cluster in the hands of a test. */

import type { Components } from "../../scripts/local_cluster/components.ts";

export class ComponentHandle {
  readonly name: string;
  readonly #components: Components;

  constructor(components: Components, name: string) {
    this.#components = components;
    this.name = name;
  }

  /** Starts it and waits until it does its work. */
  start(): Promise<void> {
    return this.#components.start(this.name);
  }

  /** Ends it, by SIGKILL if so asked; what it has started lives on. */
  stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    return this.#components.stop(this.name, signal);
  }

  async restart(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  /** SIGSTOP: it neither works nor closes anything, like a machine that hangs. */
  pause(): Promise<void> {
    return this.#components.signal(this.name, "SIGSTOP");
  }

  /** SIGCONT. */
  resume(): Promise<void> {
    return this.#components.signal(this.name, "SIGCONT");
  }

  /** Its process, or undefined when it does not run. */
  pid(): Promise<number | undefined> {
    return this.#components.pid(this.name);
  }

  /** All it has written since the cluster was made. */
  log(): Promise<string> {
    return this.#components.log(this.name);
  }
}
