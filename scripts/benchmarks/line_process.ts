/** A program that answers each line on its standard input with one on its standard output. */

import { describe } from "../../src/base/errors.ts";

export class LineProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  /** Starts `args` in the network namespace at `netns`. */
  constructor(netns: string, args: readonly string[]) {
    this.#child = new Deno.Command("nsenter", {
      args: [`--net=${netns}`, "--", ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The milliseconds in the answer `{"ms": …}`. Throws with the `error` that came in its place. */
  async ask(request: unknown): Promise<number> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The measured program has ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    const { ms, error } = JSON.parse(line);
    if (error !== undefined) throw new Error(`The measured program says: ${error}`);
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#writer.close();
    } catch (error) {
      // It has ended before; whoever asked it last has been told.
      if (!(error instanceof Error)) throw new Error(describe(error));
    }
    await this.#reader.cancel();
    await this.#child.status;
  }
}
