/** Requests to the webhook as HTTP: what is refused before anybody looks at it, and how. */

import { describe, K8slanError } from "../base/errors.ts";
import {
  type AdmissionAnswer,
  type AdmissionAsk,
  decodeReview,
  encodeReview,
} from "./webhook_review.ts";

/** The path in the ValidatingWebhookConfiguration, and that in the MutatingWebhookConfiguration. */
export const WEBHOOK_PATH = "/validate-lan";
export const POD_WEBHOOK_PATH = "/mutate-pods";

/** Largest body: the API server takes objects of 1.5 MiB, and sends the old one with the new. */
export const WEBHOOK_BODY_MAX = 3 << 20;
/** Bodies of all requests that are under way. */
const BODIES_MAX = 16 << 20;

export interface WebhookRequest {
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly contentType: string | undefined;
  readonly contentLength: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface WebhookResponse {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One webhook; `Kind` is what leads to its answers. */
export interface WebhookRoute<Kind extends string = string> {
  decide(ask: AdmissionAsk): Promise<{ readonly kind: Kind; readonly answer: AdmissionAnswer }>;
  /** Told of each answer: what led to it ("error" if it was none), and how many seconds it took. */
  onAnswer?(kind: Kind | "error", seconds: number): void;
}

export class WebhookHandler {
  readonly #routes: ReadonlyMap<string, WebhookRoute>;
  /** Bytes of bodies held now. */
  #held = 0;

  /** `routes` by their paths. */
  constructor(routes: Readonly<Record<string, WebhookRoute>>) {
    this.#routes = new Map(Object.entries(routes));
  }

  /** The answer, whatever comes; rejects only if the client went away in the midst. */
  async handle(request: WebhookRequest): Promise<WebhookResponse> {
    const started = performance.now();
    const route = this.#routes.get(request.url.replace(/\?.*$/s, ""));
    if (route === undefined) return refuse(404, "No such path");
    const told = (kind: string) => route.onAnswer?.(kind, (performance.now() - started) / 1_000);
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      told("error");
      return refusal;
    }
    const held = { bytes: 0 };
    try {
      const ask = decodeReview(parse(await this.#read(request.body, held)));
      const decision = await route.decide(ask);
      told(decision.kind);
      return {
        status: 200,
        body: JSON.stringify(encodeReview(ask.uid, decision.answer)),
        headers: { "content-type": "application/json" },
      };
    } catch (error) {
      told("error");
      if (!(error instanceof K8slanError)) throw error;
      return refuse(STATUS[error.code] ?? 500, describe(error));
    } finally {
      this.#held -= held.bytes;
    }
  }

  async #read(body: AsyncIterable<Uint8Array>, held: { bytes: number }): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const part of body) {
      held.bytes += part.length;
      this.#held += part.length;
      if (held.bytes > WEBHOOK_BODY_MAX) throw new K8slanError("TooLarge", TOO_LARGE);
      if (this.#held > BODIES_MAX) {
        throw new K8slanError("Busy", "Too much is under way; try again", { retriable: true });
      }
      parts.push(part);
    }
    const bytes = new Uint8Array(held.bytes);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new TextDecoder().decode(bytes);
  }
}

const STATUS: Readonly<Record<string, number>> = { BadReview: 400, TooLarge: 413, Busy: 503 };
const TOO_LARGE = `The body is larger than ${WEBHOOK_BODY_MAX} bytes`;

function refusalOf(request: WebhookRequest): WebhookResponse | undefined {
  if (request.method !== "POST") return refuse(405, "Only POST is taken", { allow: "POST" });
  if (!/^application\/json\s*(;|$)/i.test(request.contentType ?? "")) {
    return refuse(415, "The body must be application/json");
  }
  return Number(request.contentLength ?? 0) > WEBHOOK_BODY_MAX ? refuse(413, TOO_LARGE) : undefined;
}

/** Whoever has to be refused like this is no API server, and gets no lasting connection. */
function refuse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): WebhookResponse {
  return {
    status,
    body: `${text}\n`,
    headers: { "content-type": "text/plain; charset=utf-8", connection: "close", ...headers },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new K8slanError("BadReview", "The body is no JSON", { cause });
  }
}
