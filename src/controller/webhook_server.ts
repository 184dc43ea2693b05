/** The webhook's HTTPS server, whose certificate changes while it serves. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WebhookHandler, WebhookResponse } from "./webhook_http.ts";

/** Certificate (with what leads to its authority, if anything) and key, both PEM. */
export interface ServingPair {
  readonly certificate: string;
  readonly key: string;
}

export interface WebhookServerOptions {
  readonly handler: WebhookHandler;
  readonly log: Log;
  readonly hostname?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Milliseconds for a TLS handshake, for a request's headers, and for all of a request. */
  readonly patienceMs?: number;
}

/** Each API server keeps a few, for as long as 90 s after the last request. */
const CONNECTIONS_MAX = 128;
const KEEP_ALIVE_MS = 150_000;
const PATIENCE_MS = 5_000;
/** For requests under way when the server closes. */
const CLOSING_MS = 3_000;

/**
 * Handshakes fail as long as there is no certificate. A new one is for connections to come: those
 * that exist go on, so that no request ever fails by it.
 */
export class WebhookServer implements AsyncDisposable {
  readonly #options: WebhookServerOptions;
  readonly #server: Server;

  constructor(options: WebhookServerOptions) {
    const { handler, log, patienceMs = PATIENCE_MS } = options;
    this.#options = options;
    this.#server = createServer({
      minVersion: "TLSv1.2",
      // The API server asks for it too, so that its requests spread over the replicas.
      ALPNProtocols: ["http/1.1"],
      handshakeTimeout: patienceMs,
      headersTimeout: patienceMs,
      requestTimeout: patienceMs,
      connectionsCheckingInterval: Math.min(patienceMs, 1_000),
      keepAliveTimeout: KEEP_ALIVE_MS,
    }, (request, response) => {
      answer(handler, request, response).catch((error) => {
        log.debug("A request to the webhook came to nothing", { error: describe(error) });
        response.destroy();
      });
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("tlsClientError", (error) => {
      log.debug("A TLS handshake with the webhook failed", { error: describe(error) });
    });
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Resolves when the port is bound; rejects if it can't be. */
  async listen(): Promise<void> {
    const { hostname = "0.0.0.0", port, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, hostname, () => resolve());
    });
    this.#server.on("error", (error) => {
      log.error("The webhook's server failed", { error: describe(error) });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /**
   * Serves with `pair` from now on. It must be one that `readServing()` found good: whatever it is,
   * it is taken, and looked at when somebody connects.
   */
  use({ certificate, key }: ServingPair): void {
    this.#server.setSecureContext({ cert: certificate, key });
    this.#options.log.info("The webhook has a new certificate");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSING_MS);
    await promise;
    clearTimeout(timer);
  }
}

async function answer(
  handler: WebhookHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, headers, body }: WebhookResponse = await handler.handle({
    method: request.method ?? "",
    url: request.url ?? "",
    contentType: request.headers["content-type"],
    contentLength: request.headers["content-length"],
    body: request,
  });
  response.writeHead(status, {
    ...headers,
    "content-length": new TextEncoder().encode(body).length,
  });
  response.end(body);
}
