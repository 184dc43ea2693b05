/** What an API server does with a patch, on plain JSON. */

import type { JsonPatchStep } from "../../src/kube/kube_api.ts";

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Json = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** RFC 6902, as far as JsonPatchStep goes. Throws where a step can't be done. */
export function jsonPatch(target: Json, steps: readonly JsonPatchStep[]): Json {
  const root: Json = { root: structuredClone(target) };
  for (const step of steps) {
    const path = ["root", ...step.path.split("/").slice(1).map(unescape)];
    const last = path.pop()!;
    const parent = path.reduce<unknown>((value, key) => child(value, key), root);
    if (parent === undefined) throw new Error(`Nothing is at "${step.path}"`);
    switch (step.op) {
      case "test":
        if (JSON.stringify(child(parent, last) ?? null) !== JSON.stringify(step.value)) {
          throw new Error(`"${step.path}" is another value`);
        }
        break;
      case "remove":
        if (child(parent, last) === undefined) throw new Error(`Nothing is at "${step.path}"`);
        if (Array.isArray(parent)) parent.splice(Number(last), 1);
        else if (isObject(parent)) delete parent[last];
        break;
      case "add":
      case "replace":
        if (Array.isArray(parent)) {
          const place = last === "-" ? parent.length : Number(last);
          parent.splice(place, step.op === "add" ? 0 : 1, step.value);
        } else if (isObject(parent)) parent[last] = step.value;
    }
  }
  return root["root"] as Json;
}

function unescape(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function child(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  return isObject(value) ? value[key] : undefined;
}

/**
 * Server-side apply as far as it goes without schemas: objects are merged, anything else is replaced,
 * and what the owner had applied before and doesn't apply any more is removed.
 */
export function applyPatch(target: Json, body: Json, before: Json): Json {
  const result: Json = { ...target };
  for (const [key, value] of Object.entries(before)) {
    if (key in body) continue;
    if (isObject(value) && isObject(result[key])) {
      const rest = applyPatch(result[key], {}, value);
      if (Object.keys(rest).length > 0) result[key] = rest;
      else delete result[key];
    } else delete result[key];
  }
  for (const [key, value] of Object.entries(body)) {
    const [now, old] = [result[key], before[key]];
    result[key] = isObject(value)
      ? applyPatch(isObject(now) ? now : {}, value, isObject(old) ? old : {})
      : value;
  }
  return result;
}
