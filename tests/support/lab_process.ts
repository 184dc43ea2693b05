/** Programs that tests run: to their end, or for as long as a test needs them. */

import { until } from "./until.ts";

export interface RunOptions {
  readonly stdin?: string;
  /** Beside the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and returns its standard output. Throws with all of it unless it exits with 0. */
export async function runProgram(
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  await using process = new LabProcess(args, options);
  const { code, signal } = await process.ended;
  if (code === 0 && signal === null) return process.stdout;
  const end = signal ?? `exit code ${code}`;
  throw new Error(`"${args.join(" ")}" ended with ${end}:\n${process.stderr}${process.stdout}`);
}

export class LabProcess implements AsyncDisposable {
  readonly pid: number;
  /** Resolves when it has ended and all its output has been read. */
  readonly ended: Promise<Deno.CommandStatus>;
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  #running = true;

  constructor(args: readonly string[], { stdin, env }: RunOptions = {}) {
    const [command = "", ...rest] = args;
    this.#child = new Deno.Command(command, {
      args: rest,
      ...(env === undefined ? {} : { env: { ...env } }),
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.ended = this.#follow(stdin);
  }

  async #follow(stdin: string | undefined): Promise<Deno.CommandStatus> {
    const { stdout, stderr } = this.#child;
    const reading = [
      read(stdout, (text) => this.stdout += text),
      read(stderr, (text) => this.stderr += text),
      ...(stdin === undefined ? [] : [write(this.#child.stdin, stdin)]),
    ];
    const status = await this.#child.status;
    this.#running = false;
    await Promise.all(reading);
    return status;
  }

  /** Everything it has written so far. */
  get output(): string {
    return `${this.stderr}${this.stdout}`;
  }

  /** Waits until its output matches. Fails at once when it ends before. */
  async waitFor(pattern: RegExp, timeout = 10_000): Promise<void> {
    try {
      await until(`output that matches ${pattern}`, () => {
        return pattern.test(this.output) || !this.#running;
      }, { timeout });
      if (!pattern.test(this.output)) throw new Error(`It ended without ${pattern}`);
    } catch (cause) {
      throw new Error(`Process ${this.pid} wrote:\n${this.output}`, { cause });
    }
  }

  /** Does nothing when it has ended. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    if (!this.#running) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has just ended, and we are about to hear of it.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended;
  }
}

async function read(stream: ReadableStream<Uint8Array>, add: (text: string) => void) {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
}

async function write(stream: WritableStream<Uint8Array>, text: string) {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading everything: its exit code says whether that is a failure.
  }
}
