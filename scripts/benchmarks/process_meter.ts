/**
 * Runs programs and measures them from the system call that starts each to the moment it has ended,
 * without what `Deno.Command` does around that.
 */

import { LabProcess } from "../../tests/support/lab_process.ts";

const SYMBOLS = {
  // int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
  posix_spawn: {
    parameters: ["buffer", "buffer", "buffer", "pointer", "buffer", "buffer"],
    result: "i32",
  },
  // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  // int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  // int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path, int oflag, mode_t mode)
  posix_spawn_file_actions_addopen: {
    parameters: ["buffer", "i32", "buffer", "i32", "u32"],
    result: "i32",
  },
  // pid_t waitpid(pid_t pid, int *status, int options), on a thread of its own
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** More than any libc's posix_spawn_file_actions_t. */
const ACTIONS_BYTES = 256;
const O_RDONLY = 0;
const O_WRONLY = 1;

export interface ProcessOptions {
  /** File for standard input; none: empty. */
  readonly stdin?: string;
  /** The whole environment; none: PATH alone. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessFigures {
  /** Exit code; 128 and the signal for one that was killed. */
  readonly code: number;
  readonly ms: number;
}

export class ProcessMeter implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", SYMBOLS);
  /** What the last call's pointers lead to: the collector does not see those. */
  #pinned: unknown;

  /** Runs the program at the absolute path `args[0]`; its output goes nowhere. */
  async run(args: readonly string[], options: ProcessOptions = {}): Promise<ProcessFigures> {
    const { symbols } = this.#libc;
    const env = { PATH: Deno.env.get("PATH") ?? "", ...options.env };
    const argv = cStrings(args);
    const envp = cStrings(Object.entries(env).map(([name, value]) => `${name}=${value}`));
    this.#pinned = [argv, envp];
    const stdin = cString(options.stdin ?? "/dev/null");
    const nowhere = cString("/dev/null");
    const actions = new Uint8Array(ACTIONS_BYTES);
    symbols.posix_spawn_file_actions_init(actions);
    symbols.posix_spawn_file_actions_addopen(actions, 0, stdin, O_RDONLY, 0);
    symbols.posix_spawn_file_actions_addopen(actions, 1, nowhere, O_WRONLY, 0);
    const pid = new Int32Array(1);
    const path = cString(args[0] ?? "");
    const started = performance.now();
    const error = symbols.posix_spawn(
      bytesOf(pid),
      path,
      actions,
      null,
      bytesOf(argv.pointers),
      bytesOf(envp.pointers),
    );
    if (error !== 0) throw new Error(`Cannot start "${args[0]}": errno ${error}`);
    const status = new Int32Array(1);
    await symbols.waitpid(pid[0]!, bytesOf(status), 0);
    const ms = performance.now() - started;
    symbols.posix_spawn_file_actions_destroy(actions);
    return { code: exitCode(status[0]!), ms };
  }

  [Symbol.dispose](): void {
    this.#libc.close();
  }
}

/**
 * Most memory that a program has in use at once. MB (10^6 bytes). Asked of time(1), because the kernel
 * counts what a program's parent has in use at the moment of the start, and this one has much.
 */
export async function peakMemoryMb(
  args: readonly string[],
  { stdin = "/dev/null", env = {} }: ProcessOptions = {},
): Promise<number> {
  await using process = new LabProcess(["/usr/bin/time", "--format=%M", ...args], {
    stdin: await Deno.readTextFile(stdin),
    env,
  });
  const { code } = await process.ended;
  if (code !== 0) throw new Error(`A measured process ended with ${code}: ${process.output}`);
  return Number(process.stderr.trim().split("\n").at(-1)) * 1024 / 1e6;
}

/** wait(2): the signal in the low seven bits, or else the exit code above them. */
function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/** A NULL-terminated array of pointers, with the texts it points to, which must outlive its use. */
function cStrings(texts: readonly string[]) {
  const bytes = texts.map(cString);
  const pointers = new BigUint64Array(bytes.length + 1);
  bytes.forEach((text, at) => {
    pointers[at] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
  });
  return { bytes, pointers };
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function bytesOf(array: BigUint64Array<ArrayBuffer> | Int32Array<ArrayBuffer>) {
  return new Uint8Array(array.buffer);
}
