/**
 * The API server by Deno's `fetch`, over HTTP/2 or HTTP/1.1. Clients built on `node:http2`, as those
 * of the npm packages, end the whole process when the server restarts.
 */

import type {
  CallOptions,
  DeleteOptions,
  KubeApi,
  ListOptions,
  ListPage,
  Patch,
  Selection,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./kube_api.ts";
import { K8slanError } from "../base/errors.ts";
import { isNotFound, KubeError } from "./kube_error.ts";
import { KubeHttp, type KubeHttpOptions } from "./kube_http.ts";
import type { KubeAccess } from "./kube_access.ts";
import { keyText, type KubeObject, type New, type ObjectKey } from "./objects.ts";
import {
  apiVersionOf,
  isRecord,
  type Resource,
  type ResourceNames,
  resourceText,
} from "./resource.ts";
import { readWatch } from "./watch_stream.ts";

const IDLE_MS = 60_000;

const PATCH_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  // YAML by name; JSON is YAML.
  apply: "application/apply-patch+yaml",
} as const;

export class FetchKubeApi implements KubeApi, Disposable {
  readonly #http: KubeHttp;

  constructor(access: KubeAccess, options: KubeHttpOptions) {
    this.#http = new KubeHttp(access, options);
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      const action = `get ${objectText(resource, key)}`;
      const path = objectPath(resource, key);
      return resource.decode(await this.#http.json({ ...options, action, method: "GET", path }));
    } catch (error) {
      if (isAbsence(error, key)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<ListPage<T>> {
    const query = selectionQuery(options);
    if (options.limit !== undefined) query.set("limit", String(options.limit));
    if (options.continue !== undefined) query.set("continue", options.continue);
    const answer = await this.#http.json({
      ...options,
      action: `list ${resourceText(resource)}`,
      method: "GET",
      path: collectionPath(resource, options.namespace),
      query,
    });
    return decodePage(resource, answer);
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    const query = selectionQuery(options);
    query.set("watch", "true");
    query.set("allowWatchBookmarks", "true");
    query.set("resourceVersion", options.resourceVersion);
    if (options.timeoutSeconds !== undefined) {
      query.set("timeoutSeconds", String(options.timeoutSeconds));
    }
    const action = `watch ${resourceText(resource)}`;
    const path = collectionPath(resource, options.namespace);
    const idleMs = options.idleMs ?? IDLE_MS;
    const chunks = this.#http.stream({ ...options, action, method: "GET", path, query }, idleMs);
    yield* readWatch(resource, action, chunks);
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: New<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const { metadata } = object;
    const answer = await this.#http.json({
      ...options,
      action: `create ${objectText(resource, metadata)}`,
      method: "POST",
      path: collectionPath(resource, metadata.namespace),
      body: typed(resource, object),
    });
    return resource.decode(answer);
  }

  async replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { metadata } = object;
    const answer = await this.#http.json({
      ...options,
      action: `replace ${objectText(resource, metadata, options)}`,
      method: "PUT",
      path: objectPath(resource, metadata, options),
      body: typed(resource, object),
    });
    return resource.decode(answer);
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const query = new URLSearchParams();
    if (patch.type === "apply") {
      query.set("fieldManager", patch.fieldManager);
      query.set("force", "true");
    }
    const answer = await this.#http.json({
      ...options,
      action: `${patch.type === "apply" ? "apply" : "patch"} ${objectText(resource, key, options)}`,
      method: "PATCH",
      path: objectPath(resource, key, options),
      query,
      contentType: PATCH_TYPES[patch.type],
      body: patch.type === "json"
        ? patch.steps
        : patch.type === "apply"
        ? typed(resource, named(key, patch.body))
        : patch.body,
    });
    return resource.decode(answer);
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    const { uid, resourceVersion } = options;
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    try {
      await this.#http.json({
        ...options,
        action: `delete ${objectText(resource, key)}`,
        method: "DELETE",
        path: objectPath(resource, key),
        body: {
          ...{ apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" },
          preconditions,
        },
      });
      return true;
    } catch (error) {
      if (isAbsence(error, key)) return false;
      throw error;
    }
  }

  /** Ends the connections; calls under way go on to their end. */
  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }
}

/** Whether the object itself isn't there, rather than its kind or whatever answered instead. */
function isAbsence(error: unknown, { name }: ObjectKey): boolean {
  return isNotFound(error) && error instanceof KubeError && error.details.name === name;
}

function decodePage<T extends KubeObject>(resource: Resource<T>, answer: unknown): ListPage<T> {
  const list = isRecord(answer) ? answer : {};
  const metadata = isRecord(list["metadata"]) ? list["metadata"] : {};
  const { resourceVersion, continue: next } = metadata;
  // An empty list of a Go program is null.
  const items: unknown = list["items"] ?? [];
  if (typeof resourceVersion !== "string" || !Array.isArray(items) || !isList(list["kind"])) {
    const text = `Cannot list ${resourceText(resource)}: the answer is no list of objects`;
    throw new K8slanError("ApiServerGarbled", text, { retriable: true });
  }
  return {
    items: items.map((item) => resource.decode(item)),
    resourceVersion,
    ...(typeof next === "string" && next !== "" ? { continue: next } : {}),
  };
}

function isList(kind: unknown): boolean {
  return typeof kind === "string" && kind.endsWith("List");
}

function typed(resource: ResourceNames, object: object): object {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}

/** What is applied must say its own name, since it may have to be made. */
function named({ name, namespace }: ObjectKey, body: object): object {
  const metadata = isRecord(body) && isRecord(body["metadata"]) ? body["metadata"] : {};
  const key = namespace === undefined ? { name } : { name, namespace };
  return { ...body, metadata: { ...metadata, ...key } };
}

function collectionPath(resource: ResourceNames, namespace?: string): string {
  const { group, version, plural } = resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${place}/${plural}`;
}

function objectPath(resource: ResourceNames, key: ObjectKey, options: WriteOptions = {}): string {
  const part = options.subresource === undefined ? "" : `/${options.subresource}`;
  // Without a name it would be the path of all objects, to be deleted for instance.
  if (["", ".", ".."].includes(key.name)) {
    throw new TypeError(`The name of an object can't be "${key.name}"`);
  }
  return `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}${part}`;
}

function objectText(resource: ResourceNames, key: ObjectKey, options: WriteOptions = {}): string {
  const part = options.subresource === undefined ? "" : `${options.subresource} of `;
  return `${part}${resourceText(resource)} "${keyText(key)}"`;
}

function selectionQuery({ labelSelector, fieldSelector }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (labelSelector !== undefined) query.set("labelSelector", labelSelector);
  if (fieldSelector !== undefined) query.set("fieldSelector", fieldSelector);
  return query;
}
