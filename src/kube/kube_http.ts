/** Requests to one API server: credentials, deadlines, rate, bounds, and what may be repeated. */

import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import { HttpCall } from "./http_call.ts";
import { decodePieces, parseJson } from "./json_lines.ts";
import type { CallOptions } from "./kube_api.ts";
import type { Credentials, KubeAccess } from "./kube_access.ts";
import { type KubeError, kubeErrorOf } from "./kube_error.ts";
import { RateLimit } from "./rate_limit.ts";

export interface KubeHttpOptions {
  /** As in `k8slan/0.1.0 (agent)`; shown in the API server's audit log. */
  readonly userAgent: string;
  /** Requests a second in the long run, and at once. */
  readonly perSecond?: number;
  readonly burst?: number;
  /** Milliseconds for a call that says none. */
  readonly deadlineMs?: number;
  /** Largest answer taken. Bytes. */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

export interface HttpRequest extends CallOptions {
  /** Continues "Cannot", as in `get nodes "n1"`. */
  readonly action: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly contentType?: string;
  readonly body?: unknown;
  /** Called once a stream has begun. */
  readonly onOpen?: () => void;
}

const DEADLINE_MS = 30_000;
const MAX_BYTES = 64 << 20;
const ERROR_MAX_BYTES = 1 << 20;
/** How often a request is sent that the server turns away unread. */
const ATTEMPTS = 5;
const RETRY_AFTER_MS = 1_000;
const RETRY_AFTER_MOST_MS = 30_000;

export class KubeHttp implements Disposable {
  readonly #access: KubeAccess;
  readonly #userAgent: string;
  readonly #deadlineMs: number;
  readonly #maxBytes: number;
  readonly #limit: RateLimit;
  #client: Deno.HttpClient | undefined;
  /** The TLS part of the credentials that `#client` was made with, as text. */
  #clientTls = "";

  constructor(access: KubeAccess, options: KubeHttpOptions) {
    requireTls(access.server);
    this.#access = access;
    this.#userAgent = options.userAgent;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    const { perSecond = 20, burst = 40, clock = systemClock } = options;
    this.#limit = new RateLimit(perSecond, burst, clock);
  }

  /** The JSON value of the answer. */
  async json(request: HttpRequest): Promise<unknown> {
    using call = new HttpCall(request.signal);
    call.limit(request.deadlineMs ?? this.#deadlineMs, "there was no answer");
    try {
      const response = await this.#send(request, call);
      return parseJson(await readText(response, this.#maxBytes));
    } catch (error) {
      throw this.#explain(request, call, error);
    }
  }

  /** The bytes of the answer as they come, until the server ends it. */
  async *stream(request: HttpRequest, idleMs: number): AsyncGenerator<Uint8Array, void, void> {
    using call = new HttpCall(request.signal);
    call.limit(request.deadlineMs ?? this.#deadlineMs, "there was no answer");
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      const response = await this.#send(request, call);
      request.onOpen?.();
      reader = response.body?.getReader();
      while (reader !== undefined) {
        call.limit(idleMs, "not a byte came");
        const { done, value } = await reader.read();
        call.unlimit(); // the time until the caller asks for more isn't the server's
        if (done) return;
        yield value;
      }
    } catch (error) {
      throw this.#explain(request, call, error);
    } finally {
      reader?.cancel().catch(() => {}); // it has failed or ended already
    }
  }

  async #send(request: HttpRequest, call: HttpCall): Promise<Response> {
    let renewed = false;
    for (let attempt = 1;; attempt++) {
      await this.#limit.take(call.signal);
      const credentials = await this.#access.credentials();
      call.signal.throwIfAborted();
      request.beforeSend?.();
      call.client = this.#clientFor(credentials);
      const response = await fetch(this.#url(request), {
        client: call.client,
        method: request.method,
        headers: this.#headers(request, credentials),
        body: request.body === undefined ? null : JSON.stringify(request.body),
        // Credentials go to this server alone.
        redirect: "manual",
        signal: call.signal,
      });
      if (response.ok) return response;
      const error = await refusal(request.action, response);
      if (error.status === 401 && !renewed) {
        renewed = true;
        this.#access.forget();
        continue;
      }
      const waitMs = Math.min(error.retryAfterMs ?? RETRY_AFTER_MS, RETRY_AFTER_MOST_MS);
      const mayRepeat = wasUnread(request, error) && attempt < ATTEMPTS;
      if (!mayRepeat || waitMs >= call.leftMs) throw error;
      this.#limit.pause(waitMs);
    }
  }

  #url({ path, query }: HttpRequest): string {
    const text = query?.toString() ?? "";
    return `${this.#access.server}${path}${text === "" ? "" : `?${text}`}`;
  }

  #headers({ body, contentType }: HttpRequest, { authorization }: Credentials): Headers {
    const headers = new Headers({ accept: "application/json", "user-agent": this.#userAgent });
    if (body !== undefined) headers.set("content-type", contentType ?? "application/json");
    if (authorization !== undefined) headers.set("authorization", authorization);
    return headers;
  }

  #clientFor({ caCerts, client }: Credentials): Deno.HttpClient {
    const tls = JSON.stringify([caCerts, client]);
    if (this.#client !== undefined && tls === this.#clientTls) return this.#client;
    this.#client?.close();
    const { connectTo, proxyUrl } = this.#access;
    this.#client = Deno.createHttpClient({
      caCerts: [...caCerts],
      ...(client === undefined ? {} : client),
      ...(connectTo === undefined ? {} : { proxy: { transport: "tcp", ...connectTo } }),
      ...(proxyUrl === undefined ? {} : { proxy: { url: proxyUrl } }),
    });
    this.#clientTls = tls;
    return this.#client;
  }

  /** `error` with the action that failed; time-outs and broken connections get a code. */
  #explain({ action, signal }: HttpRequest, call: HttpCall, error: unknown): unknown {
    if (signal?.aborted) return signal.reason;
    const { overdue } = call;
    if (overdue !== undefined) {
      // The connection may be dead without knowing it, and would be used again.
      if (this.#client === call.client) this.#discardClient();
      const text = `Cannot ${action}: ${overdue} from the API server ${this.#access.server}`;
      return new K8slanError("ApiServerTimeout", text, { retriable: true });
    }
    if (error instanceof K8slanError) {
      if (error.code !== "ApiServerGarbled") return error;
      return new K8slanError(error.code, `Cannot ${action}`, { retriable: true, cause: error });
    }
    const text = `Cannot ${action}: no connection to the API server ${this.#access.server}`;
    return new K8slanError("ApiServerUnreachable", text, { retriable: true, cause: error });
  }

  #discardClient(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  [Symbol.dispose](): void {
    this.#discardClient();
  }
}

/** Credentials and objects don't travel in the clear, but for tests and `kubectl proxy`. */
function requireTls(server: string): void {
  const { protocol, hostname } = new URL(server);
  if (protocol === "https:" || ["127.0.0.1", "[::1]", "localhost"].includes(hostname)) return;
  throw new K8slanError(
    "InsecureServer",
    `The API server's address is "${server}", but must begin with "https://"`,
  );
}

/** Whether the server turned the request away before acting on it, and wants it again later. */
function wasUnread({ method }: HttpRequest, { status, retryAfterMs }: KubeError): boolean {
  if (status === 429) return true;
  return method === "GET" && status === 503 && retryAfterMs !== undefined;
}

async function refusal(action: string, response: Response): Promise<KubeError> {
  const text = await readText(response, ERROR_MAX_BYTES);
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = seconds >= 0 ? seconds * 1_000 : undefined;
  return kubeErrorOf(action, response.status, jsonOrText(text), retryAfterMs);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > maxBytes) {
      throw new K8slanError("ApiServerGarbled", `The answer is over ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return decodePieces(pieces, size);
}
