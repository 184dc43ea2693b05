/** How the demo runs other programs and waits, and how an interruption ends both at once. */

import { describe } from "../src/base/errors.ts";

export interface RunOptions {
  readonly stdin?: string;
  /** The whole environment; without it, the demo's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a state may take to come about before it counts as failed. Milliseconds. */
const PATIENCE_MS = 10_000;

export class Shell {
  readonly #signal: AbortSignal | undefined;

  /** Everything ends with the signal's reason as soon as it fires. */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Runs a program and returns its standard output. Throws with what it said unless it exits with 0. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.try(args, options);
    if (code === 0) return stdout;
    throw new Error(`"${args.join(" ")}" ended with exit code ${code}:\n${stderr}${stdout}`);
  }

  /** Runs a program that may fail. */
  async try(args: readonly string[], { stdin, env }: RunOptions = {}): Promise<Outcome> {
    this.#signal?.throwIfAborted();
    const [command = "", ...rest] = args;
    const child = new Deno.Command(command, {
      args: rest,
      ...(env === undefined ? {} : { env: { ...env }, clearEnv: true }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const feed = stdin === undefined
      ? undefined
      : new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {
        // It ended without reading everything; its exit code says whether that is a failure.
      });
    const [{ code, stdout, stderr }] = await Promise.all([child.output(), feed]);
    this.#signal?.throwIfAborted();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  /**
   * The first result of `look` that is neither undefined nor false; an error counts as "not yet".
   * Throws with `what` and the last error when it takes too long.
   */
  async until<T>(
    what: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      let problem: unknown;
      try {
        const result = await look();
        if (result !== undefined && result !== false) return result;
      } catch (error) {
        problem = error;
      }
      this.#signal?.throwIfAborted();
      if (performance.now() > deadline) {
        const why = problem === undefined ? "" : `: ${describe(problem)}`;
        throw new Error(`Waited ${PATIENCE_MS / 1000} s in vain until ${what}${why}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
