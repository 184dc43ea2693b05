/** Kinds of objects described as data, so that one client serves them all. */

import { K8slanError } from "../base/errors.ts";
import type { KubeObject, ObjectMeta } from "./objects.ts";

export interface ResourceNames {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface Resource<T extends KubeObject> extends ResourceNames {
  /** `value` as an object of this kind. Throws K8slanError "ApiServerGarbled". */
  decode(value: unknown): T;
}

/**
 * A kind whose objects are `T`. Decoding checks `metadata` alone: what is below it was checked by
 * the API server against its own schema, or is of a type that has to be narrowed before use.
 */
export function resource<T extends KubeObject>(names: ResourceNames): Resource<T> {
  return { ...names, decode: (value) => decodeObject(names, value) as T };
}

export function apiVersionOf({ group, version }: ResourceNames): string {
  return group === "" ? version : `${group}/${version}`;
}

/** For messages: `lans.lan.k8slan.io`, `nodes`. */
export function resourceText({ group, plural }: ResourceNames): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function decodeObject(names: ResourceNames, value: unknown): KubeObject {
  if (!isRecord(value)) throw garbled(names, "an object is no JSON object");
  const metadata = decodeMeta(names, value["metadata"]);
  // Lists of built-in kinds leave these out of their items.
  return { ...value, apiVersion: apiVersionOf(names), kind: names.kind, metadata };
}

function decodeMeta(names: ResourceNames, value: unknown): ObjectMeta {
  if (!isRecord(value)) throw garbled(names, "an object has no metadata");
  for (const field of ["name", "uid", "resourceVersion", "creationTimestamp"]) {
    const text = value[field];
    if (typeof text !== "string" || text === "") throw garbled(names, `metadata has no ${field}`);
  }
  if (names.namespaced && typeof value["namespace"] !== "string") {
    throw garbled(names, "metadata has no namespace");
  }
  // Often more than half of an object, and of no use here.
  const { managedFields: _, ...metadata } = value;
  return metadata as unknown as ObjectMeta;
}

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function garbled(names: ResourceNames, what: string): K8slanError {
  return new K8slanError(
    "ApiServerGarbled",
    `The API server's answer about ${resourceText(names)} can't be understood: ${what}`,
    { retriable: true },
  );
}
