/** Single requests to an API server, as an administrator or in the name of others. */

import type { KubeAccess } from "../../src/kube/kube_access.ts";
import { isRecord } from "../../src/kube/resource.ts";

export interface RawRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** Whose name a request is made in. */
export interface Impersonated {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, string>>;
}

// deno-lint-ignore no-explicit-any -- answers of all kinds, of which tests look at single fields
export type RawObject = any;

export interface RawAnswer {
  readonly status: number;
  readonly body: RawObject;
  /** What kubectl prints as `Warning: …`, as it stands in the header; empty without. */
  readonly warnings: string;
}

export class RawKube implements Disposable {
  readonly #access: KubeAccess;
  readonly #headers: Readonly<Record<string, string>>;
  #client: Deno.HttpClient | undefined;

  constructor(access: KubeAccess, impersonated?: Impersonated) {
    this.#access = access;
    this.#headers = impersonated === undefined ? {} : impersonationHeaders(impersonated);
  }

  async ask(request: RawRequest): Promise<RawAnswer> {
    const { method = "GET", path, body, contentType = "application/json" } = request;
    const { caCerts, client, authorization } = await this.#access.credentials();
    this.#client ??= Deno.createHttpClient({ caCerts: [...caCerts], ...client });
    const answer = await fetch(`${this.#access.server}${path}`, {
      client: this.#client,
      method,
      headers: {
        accept: request.accept ?? "application/json",
        ...(body === undefined ? {} : { "content-type": contentType }),
        ...(authorization === undefined ? {} : { authorization }),
        ...this.#headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const warnings = answer.headers.get("warning") ?? "";
    return { status: answer.status, body: await answer.json(), warnings };
  }

  /** The answer's body; throws unless the server did what was asked. */
  async must(request: RawRequest): Promise<RawObject> {
    const { status, body } = await this.ask(request);
    if (status < 300) return body;
    throw new Error(
      `${request.method ?? "GET"} ${request.path}: ${status} ${JSON.stringify(body)}`,
    );
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }
}

/** The fields that a refusal names, each once and sorted; none: it was no refusal. */
export function refusedFields({ status, body }: Pick<RawAnswer, "status" | "body">): string[] {
  if (status < 300) return [];
  const causes: unknown = body?.details?.causes;
  const fields = Array.isArray(causes)
    ? causes.map((cause) => isRecord(cause) ? String(cause["field"] ?? "") : "")
    : [];
  return [...new Set(fields.length === 0 ? [`status ${status}`] : fields)].sort();
}

function impersonationHeaders({ user, groups = [], extra = {} }: Impersonated) {
  return {
    "impersonate-user": user,
    ...(groups.length === 0 ? {} : { "impersonate-group": groups.join(",") }),
    ...Object.fromEntries(
      Object.entries(extra).map(([key, value]) =>
        [`impersonate-extra-${encodeURIComponent(key).toLowerCase()}`, value] as const
      ),
    ),
  };
}
