/** What the API server says when it says no. */

import { K8slanError } from "../base/errors.ts";
import { isRecord } from "./resource.ts";

/** What is wrong with one field of an object that was refused. */
export interface FieldCause {
  /** As in `spec.vni`; empty for the whole object. */
  readonly field: string;
  readonly message: string;
  readonly reason: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly kind?: string;
  readonly causes: readonly FieldCause[];
}

/** An answer with a status of 400 or above. `code` is the server's reason ("Conflict", "Invalid"). */
export class KubeError extends K8slanError {
  readonly status: number;
  readonly details: StatusDetails;
  /** Milliseconds after which the server wants to be asked again. */
  readonly retryAfterMs?: number;

  constructor(
    action: string,
    answer: {
      readonly status: number;
      readonly reason: string;
      readonly message: string;
      readonly details?: StatusDetails;
      readonly retryAfterMs?: number;
    },
  ) {
    const { status, reason, message } = answer;
    super(reason, `Cannot ${action}: the API server answered ${status} ${reason}: ${message}`, {
      retriable: status >= 500 || [401, 408, 410, 429].includes(status) || reason === "Conflict",
    });
    this.name = "KubeError";
    this.status = status;
    this.details = answer.details ?? { causes: [] };
    if (answer.retryAfterMs !== undefined) this.retryAfterMs = answer.retryAfterMs;
  }
}

const MESSAGE_MAX = 1_000;
const CAUSES_MAX = 100;

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Gone",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/**
 * The error in a `metav1.Status`, or in whatever else came with HTTP status `status`: a proxy in
 * between answers in its own words. `action` continues "Cannot", as in `get nodes "n1"`.
 */
export function kubeErrorOf(
  action: string,
  status: number,
  body: unknown,
  retryAfterMs?: number,
): KubeError {
  const answer = isRecord(body) && body["kind"] === "Status" ? body : {};
  const details = isRecord(answer["details"]) ? answer["details"] : {};
  const seconds = details["retryAfterSeconds"];
  const wait = retryAfterMs ?? (typeof seconds === "number" ? seconds * 1_000 : undefined);
  return new KubeError(action, {
    status,
    reason: word(answer["reason"]) ?? REASONS[status] ?? `Http${status}`,
    message: line(answer["message"] ?? (typeof body === "string" ? body : "no explanation")),
    details: decodeDetails(details),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

function decodeDetails(details: Readonly<Record<string, unknown>>): StatusDetails {
  const { name, kind, causes } = details;
  const list: readonly unknown[] = Array.isArray(causes) ? causes : [];
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof kind === "string" ? { kind } : {}),
    causes: list.filter(isRecord).slice(0, CAUSES_MAX).map(({ field, message, reason }) => ({
      field: typeof field === "string" ? field : "",
      message: line(message),
      reason: word(reason) ?? "",
    })),
  };
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z]{1,64}$/.test(value) ? value : undefined;
}

/** Text of a stranger, for logs and terminals: one line, of bounded length. */
function line(value: unknown): string {
  // deno-lint-ignore no-control-regex -- those are what must not come through
  const text = String(value).replaceAll(/[\x00-\x1f\x7f-\x9f\s]+/g, " ").trim();
  return text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX)}…` : text;
}

/** The object isn't there, or its kind isn't, or its namespace isn't. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** The object has changed or is another one: read it anew. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.code !== "AlreadyExists";
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.code === "AlreadyExists";
}

/** The version asked for is too old: list anew. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && error.status === 410;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403;
}

/** The object breaks its kind's rules; `details.causes` says which fields. */
export function isInvalid(error: unknown): boolean {
  return error instanceof KubeError && error.status === 422;
}
