/** AdmissionReview v1: what the API server asks of a webhook, and how it is answered. */

import { GROUP } from "../api/names.ts";
import { K8slanError } from "../base/errors.ts";
import type { JsonPatchStep } from "../kube/kube_api.ts";
import { isRecord } from "../kube/resource.ts";

export const ADMISSION_API_VERSION = "admission.k8s.io/v1";
const KIND = "AdmissionReview";

/** A write that the API server asks about. The objects are as untrustworthy as whoever sent them. */
export interface AdmissionAsk {
  readonly uid: string;
  /** CREATE, UPDATE, DELETE or CONNECT. */
  readonly operation: string;
  /** Group and plural, as in `lans.lan.k8slan.io`; status is `lans.lan.k8slan.io/status`. */
  readonly resource: string;
  /** Absent where the object has none. */
  readonly namespace?: string;
  /** Absent when something is deleted. */
  readonly object?: unknown;
  /** Absent when something is created. */
  readonly oldObject?: unknown;
}

/** What is wrong with one field. */
export interface AdmissionCause {
  /** Word of the API: FieldValueInvalid, FieldValueDuplicate. */
  readonly reason: string;
  /** As in `spec.spokes[3]`. */
  readonly field: string;
  /** A clause that follows the field. */
  readonly message: string;
}

export type AdmissionAnswer =
  & { readonly warnings: readonly string[] }
  & (
    | {
      readonly allowed: true;
      /** What is to be changed in the object; only a mutating webhook may say so. */
      readonly patch?: readonly JsonPatchStep[];
    }
    | {
      readonly allowed: false;
      /** The object, for clients that print the causes one by one. */
      readonly name: string;
      readonly causes: readonly AdmissionCause[];
    }
  );

/** Causes told of: enough for every honest mistake. */
const CAUSES_MAX = 20;
/** The API server cuts warnings off at 256 characters, and all of them at 4096. */
const WARNING_MAX = 256;
const WARNINGS_MAX = 10;
const WORD_MAX = 253;

/** The question in the body of a request. Throws K8slanError "BadReview". */
export function decodeReview(value: unknown): AdmissionAsk {
  if (!isRecord(value)) throw bad("is no JSON object");
  if (value["apiVersion"] !== ADMISSION_API_VERSION || value["kind"] !== KIND) {
    throw bad(`is no ${KIND} of ${ADMISSION_API_VERSION}`);
  }
  const request = value["request"];
  if (!isRecord(request)) throw bad("has no request");
  const { object, oldObject, namespace } = request;
  return {
    uid: word(request, "uid"),
    operation: word(request, "operation"),
    resource: resourceOf(request),
    ...(namespace === undefined ? {} : { namespace: word(request, "namespace", true) }),
    ...(object === undefined || object === null ? {} : { object }),
    ...(oldObject === undefined || oldObject === null ? {} : { oldObject }),
  };
}

function resourceOf(request: Readonly<Record<string, unknown>>): string {
  const resource = request["resource"];
  if (!isRecord(resource)) throw bad("has no request.resource");
  const name = `${word(resource, "resource")}.${word(resource, "group", true)}`;
  const { subResource } = request;
  return typeof subResource === "string" && subResource !== "" ? `${name}/${subResource}` : name;
}

function word(record: Readonly<Record<string, unknown>>, field: string, mayBeEmpty = false) {
  const text = record[field] ?? (mayBeEmpty ? "" : undefined);
  if (typeof text !== "string" || text.length > WORD_MAX || (text === "" && !mayBeEmpty)) {
    throw bad(`has no ${field} of 1 to ${WORD_MAX} characters`);
  }
  return text;
}

function bad(what: string): K8slanError {
  return new K8slanError("BadReview", `The body ${what}`);
}

/** The body of the answer to the question of that `uid`. */
export function encodeReview(uid: string, answer: AdmissionAnswer): object {
  const warnings = answer.warnings.slice(0, WARNINGS_MAX).map(shorten);
  return {
    apiVersion: ADMISSION_API_VERSION,
    kind: KIND,
    response: {
      uid,
      allowed: answer.allowed,
      ...(answer.allowed ? patchOf(answer.patch) : {
        status: statusOf(answer.name, answer.causes),
      }),
      ...(warnings.length === 0 ? {} : { warnings }),
    },
  };
}

/** As the API server takes it: the text of a JSON patch in base 64. */
function patchOf(patch: readonly JsonPatchStep[] = []): object {
  if (patch.length === 0) return {};
  const bytes = new TextEncoder().encode(JSON.stringify(patch));
  return { patchType: "JSONPatch", patch: btoa(String.fromCharCode(...bytes)) };
}

/**
 * 422 whatever the cause: kubectl then prints the causes as `The LAN "x" is invalid: spec.vni: …`.
 * 409 would say it as well, but clients repeat what got a 409.
 */
function statusOf(name: string, causes: readonly AdmissionCause[]): object {
  const shown = causes.slice(0, CAUSES_MAX);
  const message = shown.map((cause) => `${cause.field} ${cause.message}`.trim()).join("; ");
  const rest = causes.length - shown.length;
  return {
    status: "Failure",
    code: 422,
    reason: "Invalid",
    message: rest > 0 ? `${message}; and ${rest} more` : message,
    details: { group: GROUP, kind: "LAN", name, causes: shown },
  };
}

function shorten(text: string): string {
  return text.length > WARNING_MAX ? `${text.slice(0, WARNING_MAX - 1)}…` : text;
}
