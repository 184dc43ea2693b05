/** One line to a unix socket and one line back: how everybody talks to the agent. */

import { describe } from "./errors.ts";

/** There is no answer. `sent` says whether the line went out, so that it may have been acted on. */
export class NoAnswer extends Error {
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "NoAnswer";
    this.sent = sent;
  }
}

export interface ExchangeLimits {
  /** Milliseconds for all of it. */
  readonly deadlineMs: number;
  /** Longest answer taken, in UTF-16 units. */
  readonly maxLength: number;
}

/** Sends `line` and returns the line that comes back, neither with its newline. Throws `NoAnswer`. */
export async function exchangeLine(
  socket: string,
  line: string,
  { deadlineMs, maxLength }: ExchangeLimits,
): Promise<string> {
  let conn: Deno.UnixConn;
  try {
    conn = await Deno.connect({ transport: "unix", path: socket });
  } catch (error) {
    throw new NoAnswer(describe(error), false, error);
  }
  // Not setTimeout: the first one loads Deno's node:timers, 6 ms and 4 MB, a fifth of a CNI call.
  const deadline = AbortSignal.timeout(deadlineMs);
  const hangUp = () => conn.close();
  deadline.addEventListener("abort", hangUp);
  try {
    await send(conn, line);
    return await receive(conn, maxLength);
  } catch (error) {
    const why = deadline.aborted ? `it did not answer within ${deadlineMs / 1000} s` : undefined;
    throw new NoAnswer(why ?? describe(error), true, error);
  } finally {
    deadline.removeEventListener("abort", hangUp);
    if (!deadline.aborted) conn.close();
  }
}

async function send(conn: Deno.UnixConn, line: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function receive(conn: Deno.UnixConn, maxLength: number): Promise<string> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16 * 1024);
  let answer = "";
  while (true) {
    const count = await conn.read(chunk);
    if (count === null) throw new Error("it closed the connection before it answered");
    const part = chunk.subarray(0, count);
    const end = part.indexOf(0x0a);
    if (end >= 0) return answer + decoder.decode(part.subarray(0, end));
    answer += decoder.decode(part, { stream: true });
    if (answer.length > maxLength) {
      throw new Error(`its answer is longer than ${maxLength} characters`);
    }
  }
}
