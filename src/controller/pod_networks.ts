/** The networks that a pod's annotation names, read as multus reads it. */

import { quote } from "../api/issues.ts";
import { K8slanError } from "../base/errors.ts";
import { isRecord } from "../kube/resource.ts";

export interface NetworkKey {
  readonly namespace: string;
  readonly name: string;
}

/** More of them no pod has; each may cost a question to the API server. */
export const POD_NETWORKS_MAX = 32;
/** All annotations of an object together (apimachinery, TotalAnnotationSizeLimitB). */
const TEXT_MAX = 256 << 10;

/** DNS labels joined by dots, as multus checks names and namespaces. */
const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const NAME_MAX = 253;
/** Of a link (IFNAMSIZ less one); an empty one counts as none. */
const IFNAME = /^[^\s/@]{0,15}$/;

/**
 * What `[namespace/]name[@interface], …` or a JSON list of `{name, namespace, …}` names, in order;
 * `namespace` stands for one that is not given. Throws K8slanError "BadNetworks", whose message
 * follows the annotation's name.
 */
export function parsePodNetworks(text: string, namespace: string): readonly NetworkKey[] {
  if (text.length > TEXT_MAX) throw bad(`is longer than ${TEXT_MAX} characters`);
  const isJson = /[[{"]/.test(text);
  const items: readonly unknown[] = isJson ? listOf(text) : text.split(",");
  if (items.length > POD_NETWORKS_MAX) {
    throw bad(`names ${items.length} networks, more than the ${POD_NETWORKS_MAX} looked at`);
  }
  return items.map((item) => {
    const named = typeof item === "string" && !isJson ? fromWord(item) : fromElement(item);
    const key = { namespace: named.namespace || namespace, name: named.name };
    for (const [field, value] of Object.entries(key)) {
      if (value.length > NAME_MAX || !NAME.test(value)) {
        throw bad(`has ${quote(value)} where the ${field} of a network belongs`);
      }
    }
    return key;
  });
}

function fromWord(word: string): NetworkKey {
  const [path = "", ifname, ...more] = word.trim().split("@").map((part) => part.trim());
  const names = path.split("/").map((part) => part.trim());
  if (names.length > 2 || more.length > 0 || (ifname !== undefined && !IFNAME.test(ifname))) {
    throw bad(`has ${quote(word)} where [namespace/]name[@interface] belongs`);
  }
  const [first = "", second] = names;
  return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

function fromElement(element: unknown): NetworkKey {
  if (!isRecord(element)) throw bad("has an element that is no JSON object");
  return { namespace: member(element, "namespace"), name: member(element, "name") };
}

/** Multus is written in Go, whose JSON takes keys in any case, and the last of them. */
function member(element: Readonly<Record<string, unknown>>, key: string): string {
  const value = Object.entries(element).findLast(([name]) => name.toLowerCase() === key)?.[1];
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw bad(`has a ${key} that is no text`);
  return value;
}

function listOf(text: string): readonly unknown[] {
  const list = parse(text);
  if (!Array.isArray(list)) throw bad("is JSON, but no list of networks");
  return list;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad(`is no JSON, though it has a "[", "{" or '"'`);
  }
}

function bad(what: string): K8slanError {
  return new K8slanError("BadNetworks", what);
}
