/** The agent's unix socket: one JSON line in, one out. */

import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AgentAnswer, AgentRequest } from "../api/agent_protocol.ts";
import { parseAgentRequest } from "../api/agent_request.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { toFailure } from "./failure.ts";

/** Does what is asked. `undo` takes back what the asker will never hear of. */
export interface RequestHandler {
  handle(request: AgentRequest): Promise<unknown>;
  undo(request: AgentRequest): Promise<void>;
}

/** Connections served at once; more wait in the kernel's queue. */
const CONNECTIONS_MAX = 64;
/** A whole request must have come by then: a client that dawdles holds a place. */
const REQUEST_DEADLINE_MS = 10_000;

export class SocketServer {
  readonly #listener: Deno.UnixListener;
  readonly #handler: RequestHandler;
  readonly #log: Log;
  readonly #open = new Set<Promise<void>>();

  /** Listens at `path`, for root alone. A socket that a former agent left there is replaced. */
  constructor(path: string, handler: RequestHandler, log: Log) {
    this.#handler = handler;
    this.#log = log;
    removeStaleSocket(path);
    const umask = Deno.umask(0o177);
    try {
      this.#listener = Deno.listen({ transport: "unix", path });
    } finally {
      Deno.umask(umask);
    }
  }

  /** Serves until `signal` fires, then finishes what is under way. */
  async serve(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#listener.close(), { once: true });
    try {
      for await (const connection of this.#listener) {
        const served = this.#serveConnection(connection, signal);
        this.#open.add(served);
        served.finally(() => this.#open.delete(served));
        if (this.#open.size >= CONNECTIONS_MAX) await Promise.race(this.#open);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await Promise.all(this.#open);
  }

  async #serveConnection(connection: Deno.UnixConn, signal: AbortSignal): Promise<void> {
    using _connection = connection;
    const lines = new LineReader(connection);
    try {
      while (!signal.aborted) {
        const line = await lines.next();
        if (line === undefined) return;
        await this.#answer(connection, line);
      }
    } catch (error) {
      this.#log.debug("Connection ended", { error: describe(error) });
    }
  }

  async #answer(connection: Deno.UnixConn, line: string): Promise<void> {
    let request: AgentRequest | undefined;
    let answer: AgentAnswer;
    try {
      request = parseAgentRequest(line);
      answer = { ok: true, result: await this.#handler.handle(request) ?? {} };
    } catch (error) {
      answer = { ok: false, error: toFailure(error) };
    }
    if (request?.op !== "view" && request?.op !== "ready" && !answer.ok) {
      this.#log.warn("Request refused", { op: request?.op, ...answer.error });
    }
    try {
      await writeAll(connection, new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
    } catch (error) {
      // Whoever asked has gone: it will never know, so nothing may stay.
      if (request !== undefined && answer.ok) await this.#handler.undo(request);
      throw error;
    }
  }
}

function removeStaleSocket(path: string): void {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new K8slanError("SocketClash", `"${path}" exists and is not a socket; remove it`);
    }
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeAll(connection: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Lines of bounded length, each of which must come within the deadline once it has begun. */
class LineReader {
  readonly #connection: Deno.UnixConn;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(64 * 1024);
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  /** The next line without its end; undefined when the other side has closed. */
  async next(): Promise<string | undefined> {
    const late = setTimeout(() => this.#connection.close(), REQUEST_DEADLINE_MS);
    try {
      for (;;) {
        const line = this.#takeLine();
        if (line !== undefined) return line;
        if (this.#length > MAX_MESSAGE_BYTES) throw new Error("The request is too long");
        const count = await this.#connection.read(this.#buffer);
        if (count === null) return undefined;
        this.#chunks.push(this.#buffer.slice(0, count));
        this.#length += count;
      }
    } finally {
      clearTimeout(late);
    }
  }

  /** Only the newest chunk can hold a line's end that was not seen yet. */
  #takeLine(): string | undefined {
    const last = this.#chunks.at(-1);
    const end = last?.indexOf(10) ?? -1;
    if (last === undefined || end < 0) return undefined;
    const parts = [...this.#chunks.slice(0, -1), last.subarray(0, end)];
    const bytes = new Uint8Array(this.#length - last.length + end);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const rest = last.subarray(end + 1);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    return this.#decoder.decode(bytes);
  }
}
