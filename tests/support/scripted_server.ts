/** An HTTP server that answers as a test says, request by request. */

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string;
}

/** `nth` counts the requests from 0. */
export type Script = (
  request: SeenRequest,
  nth: number,
  server: ScriptedServer,
) => Response | Promise<Response>;

export class ScriptedServer implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #hanging = new AbortController();

  constructor(script: Script, tls: { readonly cert?: string; readonly key?: string } = {}) {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    const handler = async (request: Request) => {
      const url = new URL(request.url);
      const { method, headers } = request;
      const body = await request.text();
      const seen = { method, path: url.pathname, query: url.searchParams, headers, body };
      this.seen.push(seen);
      return await script(seen, this.seen.length - 1, this);
    };
    const { cert, key } = tls;
    this.#server = cert === undefined || key === undefined
      ? Deno.serve(options, handler)
      : Deno.serve({ ...options, cert, key }, handler);
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** An answer that never comes. */
  hang(): Promise<Response> {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.#hanging.signal.addEventListener("abort", () => resolve(new Response()));
    return promise;
  }

  /** An answer of `pieces` at once, after which nothing comes and nothing ends. */
  halfOpen(...pieces: readonly string[]): Response {
    const signal = this.#hanging.signal;
    return new Response(
      new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
          signal.addEventListener("abort", () => {
            try {
              controller.close();
            } catch { /* the client has gone */ }
          });
        },
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hanging.abort();
    await this.#server.shutdown();
  }
}

/** A TCP server that writes `text` to whoever has written something, and hangs up. */
export class RawServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  constructor(text: string) {
    (async () => {
      for await (const conn of this.#listener) {
        try {
          await conn.read(new Uint8Array(4096));
          await conn.write(new TextEncoder().encode(text));
        } finally {
          conn.close();
        }
      }
    })().catch(() => {});
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** A `metav1.Status` of failure. */
export function statusAnswer(
  code: number,
  reason: string,
  { headers = {}, ...more }: { readonly headers?: Record<string, string>; details?: unknown } = {},
): Response {
  const body = { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, ...more };
  return Response.json({ message: `scripted ${reason}`, ...body }, { status: code, headers });
}
