/** The events in the bytes of a watch. */

import { K8slanError } from "../base/errors.ts";
import { JsonLines } from "./json_lines.ts";
import type { WatchEvent } from "./kube_api.ts";
import { kubeErrorOf } from "./kube_error.ts";
import type { KubeObject } from "./objects.ts";
import { isRecord, type Resource } from "./resource.ts";

/** An object has 1.5 MiB at most in etcd. Bytes. */
const LINE_MAX = 4 << 20;

const CHANGES: ReadonlyMap<unknown, "added" | "modified" | "deleted"> = new Map([
  ["ADDED", "added"],
  ["MODIFIED", "modified"],
  ["DELETED", "deleted"],
]);

/** Throws KubeError for an error in the stream, K8slanError "ApiServerGarbled" for nonsense. */
export async function* readWatch<T extends KubeObject>(
  resource: Resource<T>,
  action: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<WatchEvent<T>, void, void> {
  const lines = new JsonLines(LINE_MAX);
  for await (const chunk of chunks) {
    for (const value of lines.push(chunk)) yield decodeEvent(resource, action, value);
  }
  lines.end();
}

function decodeEvent<T extends KubeObject>(
  resource: Resource<T>,
  action: string,
  value: unknown,
): WatchEvent<T> {
  const { type, object } = isRecord(value) ? value : {};
  const change = CHANGES.get(type);
  if (change !== undefined) return { type: change, object: resource.decode(object) };
  if (type === "BOOKMARK") return { type: "bookmark", resourceVersion: versionOf(object) };
  if (type === "ERROR") {
    const code = isRecord(object) ? object["code"] : undefined;
    throw kubeErrorOf(action, typeof code === "number" ? code : 500, object);
  }
  throw garbled(`an event is of type ${JSON.stringify(type)?.slice(0, 40)}`);
}

function versionOf(object: unknown): string {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  const version = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
  if (typeof version === "string" && version !== "") return version;
  throw garbled("a bookmark has no resourceVersion");
}

function garbled(what: string): K8slanError {
  return new K8slanError("ApiServerGarbled", `The watch can't be understood: ${what}`, {
    retriable: true,
  });
}
