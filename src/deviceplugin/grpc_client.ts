/**
 * Unary gRPC calls by `fetch` to a server behind a unix socket.
 *
 * `node:http2` clients, gRPC libraries among them, bring the whole process down when their server
 * restarts; `fetch` only fails the call. It shows no trailers, so a status that comes after a
 * message is not seen: servers send either a message or a failure.
 */

import { GrpcError, grpcStatus } from "./grpc_error.ts";
import { frameMessage, readMessage } from "./grpc_frame.ts";

export interface GrpcCallOptions {
  /** Milliseconds until the call counts as failed. */
  readonly deadline: number;
  /** The longest answer that is taken, in bytes; default 64 KiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

const MAX_BYTES = 64 * 1024;
const GIVEN_UP = "The call was given up";

/**
 * One connection, made by the first call and shared by calls at the same time. When it has broken,
 * one more call may fail before there is a new one: for a single attempt make a client of its own.
 */
export class GrpcClient implements Disposable {
  readonly #path: string;
  readonly #client: Deno.HttpClient;
  #closed = false;

  /** For the server that listens at the unix socket `path`. */
  constructor(path: string) {
    this.#path = path;
    this.#client = Deno.createHttpClient({
      proxy: { transport: "unix", path },
      http1: false,
      http2: true,
    });
  }

  /**
   * Calls `method` ("/package.Service/Method") with an encoded message; the answer's. Throws
   * GrpcError: Unavailable if there is no server, DeadlineExceeded, Cancelled if the signal fired,
   * else what the server says.
   */
  async unary(
    method: string,
    message: Uint8Array,
    options: GrpcCallOptions,
  ): Promise<Uint8Array> {
    const { deadline, signal } = options;
    if (signal?.aborted) throw new GrpcError("Cancelled", GIVEN_UP);
    const controller = new AbortController();
    const giveUp = () => controller.abort();
    const timer = setTimeout(giveUp, deadline);
    signal?.addEventListener("abort", giveUp);
    try {
      // An address: a name would be looked up first, even though nobody goes there.
      const response = await fetch(`http://127.0.0.1${method}`, {
        client: this.#client,
        method: "POST",
        headers: {
          "content-type": "application/grpc",
          "te": "trailers",
          "grpc-timeout": `${Math.ceil(deadline)}m`,
        },
        body: frameMessage(message),
        redirect: "error",
        signal: controller.signal,
      });
      return await answerOf(response, options.maxBytes ?? MAX_BYTES);
    } catch (error) {
      if (error instanceof GrpcError) throw error;
      if (signal?.aborted) throw new GrpcError("Cancelled", GIVEN_UP);
      if (controller.signal.aborted) {
        throw new GrpcError(
          "DeadlineExceeded",
          `"${this.#path}" has not answered ${method} within ${deadline} ms`,
        );
      }
      throw new GrpcError("Unavailable", `Cannot call ${method} of "${this.#path}"`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
  }
}

async function answerOf(response: Response, maxBytes: number): Promise<Uint8Array> {
  const status = response.headers.get("grpc-status");
  if (status !== null && status !== "0") {
    await response.body?.cancel();
    const code = grpcStatus(Number(status));
    throw new GrpcError(code, readableMessage(response.headers.get("grpc-message")) || code);
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new GrpcError("Unknown", `The answer has HTTP status ${response.status}`);
  }
  const message = await readMessage(response.body, maxBytes);
  if (message === undefined) throw new GrpcError("Unknown", "The answer is empty");
  return message;
}

/** As the server wrote it: percent-encoded UTF-8, hardly ever damaged. */
function readableMessage(encoded: string | null): string {
  try {
    return decodeURIComponent(encoded ?? "");
  } catch {
    return encoded ?? "";
  }
}
