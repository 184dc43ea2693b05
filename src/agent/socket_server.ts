/** The agent's unix socket: one JSON line in, one out. */

import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { listenPrivately } from "../base/private_socket.ts";
import type { AgentAnswer, AgentRequest } from "../api/agent_protocol.ts";
import { parseAgentRequest } from "../api/agent_request.ts";
import { toFailure } from "./failure.ts";
import { LineReader } from "./line_reader.ts";

/** Does what is asked. `undo` takes back what the asker will never hear of. */
export interface RequestHandler {
  handle(request: AgentRequest): Promise<unknown>;
  undo(request: AgentRequest): Promise<void>;
}

export interface SocketLimits {
  /** Connections served at once; more wait in the kernel's queue. */
  readonly connections: number;
  /** For a whole request to come, and for its answer to be taken: a client that dawdles holds a place. */
  readonly deadlineMs: number;
}

const LIMITS: SocketLimits = { connections: 64, deadlineMs: 10_000 };

export class SocketServer {
  readonly #path: string;
  readonly #listener: Deno.UnixListener;
  readonly #handler: RequestHandler;
  readonly #log: Log;
  readonly #limits: SocketLimits;
  readonly #open = new Set<Promise<void>>();

  /** Listens at `path`, for root alone. A socket that a former agent left there is replaced. */
  constructor(path: string, handler: RequestHandler, log: Log, limits: SocketLimits = LIMITS) {
    this.#path = path;
    this.#handler = handler;
    this.#log = log;
    this.#limits = limits;
    removeStaleSocket(path);
    this.#listener = listenPrivately(path);
  }

  /** Serves until `signal` fires, then finishes what is under way. */
  async serve(signal: AbortSignal): Promise<void> {
    const listener = this.#listener;
    const stop = () => this.#close();
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const connection of listener) {
        const served = this.#serveConnection(connection, signal);
        this.#open.add(served);
        served.finally(() => this.#open.delete(served));
        if (this.#open.size >= this.#limits.connections) await Promise.race(this.#open);
      }
    } catch (error) {
      if (signal.aborted) return;
      stop();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      await Promise.all(this.#open);
    }
  }

  /** Takes no more connections. */
  #close(): void {
    this.#listener.close();
    try {
      removeStaleSocket(this.#path);
    } catch (error) {
      this.#log.warn("Cannot remove the socket", { path: this.#path, error: describe(error) });
    }
  }

  async #serveConnection(connection: Deno.UnixConn, signal: AbortSignal): Promise<void> {
    using _connection = connection;
    const lines = new LineReader(connection);
    try {
      while (!signal.aborted) {
        const line = await this.#within(connection, () => lines.next(), signal);
        if (line === undefined) return;
        await this.#answer(connection, line);
      }
    } catch (error) {
      if (error instanceof K8slanError) await this.#refuse(connection, error);
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
      const { code, msg: error, details } = answer.error;
      this.#log.warn("Request refused", { op: request?.op, code, error, details });
    }
    try {
      await this.#send(connection, answer);
    } catch (error) {
      // Whoever asked has gone: it will never know, so nothing may stay.
      if (request !== undefined && answer.ok) await this.#undo(request);
      throw error;
    }
  }

  async #undo(request: AgentRequest): Promise<void> {
    try {
      await this.#handler.undo(request);
    } catch (error) {
      this.#log.error("Cannot take back what nobody waits for", {
        op: request.op,
        error: describe(error),
      });
    }
  }

  /** Says why, to who may not listen any more, before it is hung up on. */
  async #refuse(connection: Deno.UnixConn, why: K8slanError): Promise<void> {
    try {
      await this.#send(connection, { ok: false, error: toFailure(why) });
    } catch {
      // The connection ends either way.
    }
  }

  async #send(connection: Deno.UnixConn, answer: AgentAnswer): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
    await this.#within(connection, async () => {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    });
  }

  /** The result of `task`. Hangs up when that takes too long, or when `signal` fires meanwhile. */
  async #within<T>(
    connection: Deno.UnixConn,
    task: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const hangUp = () => connection[Symbol.dispose]();
    const late = setTimeout(hangUp, this.#limits.deadlineMs);
    signal?.addEventListener("abort", hangUp);
    try {
      return await task();
    } finally {
      clearTimeout(late);
      signal?.removeEventListener("abort", hangUp);
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
