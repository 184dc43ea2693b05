/** Single fields of pods, which come at length. */

import { isRecord } from "../kube/resource.ts";

export function at(value: unknown, field: string): unknown {
  return isRecord(value) ? value[field] : undefined;
}

/** Of a field of `spec` or `status`; undefined if it has none. */
export function textAt(value: unknown, part: string, field: string): string | undefined {
  const inner = at(at(value, part), field);
  return typeof inner === "string" && inner !== "" ? inner : undefined;
}
