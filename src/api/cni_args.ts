/** CNI_ARGS: what a runtime says beside the network configuration (CNI CONVENTIONS.md). */

import { type Issue, quote } from "./issues.ts";

export interface CniArgs {
  readonly mac?: string;
  /** Who the interface is for, where the runtime says both namespace and name. */
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid?: string };
}

const ARGS_MAX = 4096;

/**
 * What else there is, is other plugins' business, and may be there more than once: in front of what
 * the runtime says, multus puts pairs of its own, with another spelling of `IgnoreUnknown`.
 */
const KEYS: ReadonlySet<string> = new Set([
  "MAC",
  "K8S_POD_NAMESPACE",
  "K8S_POD_NAME",
  "K8S_POD_UID",
]);

/**
 * Names as runtimes give them: Kubernetes' are DNS names, others put container names here. They
 * are compared and shown, never used as paths.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

/** The arguments of `text`, "KEY=value" joined by ";". What is wrong is added to `issues`. */
export function parseCniArgs(text: string, issues: Issue[]): CniArgs {
  const values = splitArgs(text, issues);
  const name = (key: string): string | undefined => {
    const value = values.get(key);
    if (value === undefined || NAME.test(value)) return value;
    issues.push({ path: `CNI_ARGS ${key}`, message: `must be a name, found ${quote(value)}` });
    return undefined;
  };
  const mac = values.get("MAC");
  const podNamespace = name("K8S_POD_NAMESPACE");
  const podName = name("K8S_POD_NAME");
  const uid = name("K8S_POD_UID");
  if (values.has("K8S_POD_NAMESPACE") && !values.has("K8S_POD_NAME")) {
    // Without a pod there is no namespace to ask the LAN about: half of it must not read as none.
    issues.push({ path: "CNI_ARGS K8S_POD_NAME", message: "is required beside K8S_POD_NAMESPACE" });
  }
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(podNamespace === undefined || podName === undefined ? {} : {
      pod: { namespace: podNamespace, name: podName, ...(uid === undefined ? {} : { uid }) },
    }),
  };
}

/** Values of `KEYS`. Empty ones are left out: they stand for nothing. */
function splitArgs(text: string, issues: Issue[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (text.length > ARGS_MAX) {
    issues.push({ path: "CNI_ARGS", message: `is longer than ${ARGS_MAX} characters` });
    return values;
  }
  for (const part of text.split(";").map((piece) => piece.trim())) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const key = part.slice(0, Math.max(equals, 0));
    const value = part.slice(equals + 1);
    const before = values.get(key);
    if (!/^\w{1,64}$/.test(key)) {
      issues.push({ path: "CNI_ARGS", message: `has ${quote(part)} where KEY=value belongs` });
    } else if (!KEYS.has(key)) {
      continue;
    } else if (before !== undefined && before !== value) {
      // Two truths about a pod: one of them was smuggled in by whoever may write a value.
      issues.push({ path: `CNI_ARGS ${key}`, message: "is given twice with different values" });
    } else if (value !== "") {
      values.set(key, value);
    }
  }
  return values;
}
