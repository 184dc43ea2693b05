/** Which objects a list or a watch is about. */

import type { Selection } from "../../src/kube/kube_api.ts";
import { isObject, type Json } from "./kube_patches.ts";

/** Selectors as far as they are needed: `a=b`, `a!=b`, `a`, joined by commas; `metadata.name=x`. */
export function isSelected(object: Json | undefined, selection: Selection): boolean {
  if (object === undefined) return false;
  const meta = isObject(object["metadata"]) ? object["metadata"] : {};
  const labels = isObject(meta["labels"]) ? meta["labels"] : {};
  if (selection.namespace !== undefined && meta["namespace"] !== selection.namespace) return false;
  const fields = { "metadata.name": meta["name"], "metadata.namespace": meta["namespace"] };
  return matches(selection.labelSelector, labels) && matches(selection.fieldSelector, fields);
}

function matches(selector: string | undefined, values: Json): boolean {
  if (selector === undefined) return true;
  return selector.split(",").every((term) => {
    const [, key = "", sign, value] = /^([^!=]+)(!?=)?=?(.*)$/.exec(term) ?? [];
    if (sign === undefined) return values[key] !== undefined;
    return (values[key] === value) === (sign === "=");
  });
}

/** What a watch of this selection is told of a change from `before` to `after`. */
export function changeWithin(
  before: Json | undefined,
  after: Json | undefined,
  selection: Selection,
): "added" | "modified" | "deleted" | undefined {
  const [was, is] = [isSelected(before, selection), isSelected(after, selection)];
  if (is) return was ? "modified" : "added";
  return was ? "deleted" : undefined;
}
