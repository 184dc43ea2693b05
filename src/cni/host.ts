/** What the plugin needs of its process, so that tests can stand in for it. */

export interface CniHost {
  /** An environment variable; throws if its value is not UTF-8. */
  env(name: string): string | undefined;
  /** Standard input up to its end; undefined if there are more than `limit` bytes. */
  readStdin(limit: number): Uint8Array | undefined;
  /** Standard output, where the runtime expects one JSON object or nothing. */
  answer(text: string): void;
  /** Standard error, one line for a person. */
  note(line: string): void;
  /** Gives up the permission to start programs, for good. */
  giveUpRun(): void;
  /** How long the agent may take to answer. Milliseconds. */
  readonly answerMs: number;
  /** The same where an ADD that failed is undone. Milliseconds. */
  readonly undoMs: number;
}

export const processHost: CniHost = {
  env: (name) => Deno.env.get(name),
  readStdin,
  answer: (text) => writeAll(Deno.stdout, text),
  note,
  giveUpRun: () => void Deno.permissions.revokeSync({ name: "run" }),
  // The agent needs milliseconds. Runtimes would wait far longer, but retry sooner when told "try
  // again later"; together these end a failing ADD (IPAM aside) within 10 s.
  answerMs: 7_500,
  undoMs: 2_000,
};

function readStdin(limit: number): Uint8Array | undefined {
  // A person who tries the plugin by hand gets an answer, not a silent wait.
  if (Deno.stdin.isTerminal()) return new Uint8Array();
  let buffer = new Uint8Array(16 * 1024);
  let length = 0;
  while (true) {
    const count = Deno.stdin.readSync(buffer.subarray(length));
    if (count === null) return buffer.subarray(0, length);
    length += count;
    if (length > limit) return undefined;
    if (length === buffer.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

function note(line: string): void {
  try {
    writeAll(Deno.stderr, `k8slan: ${line}\n`);
  } catch {
    // nobody listens, which must not make a DEL fail
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}
