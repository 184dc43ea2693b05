/** An API server in memory, held to the same contract as a real one. */

import { kubeErrorOf } from "../../src/kube/kube_error.ts";
import type { KubeError } from "../../src/kube/kube_error.ts";
import type {
  CallOptions,
  DeleteOptions,
  KubeApi,
  ListOptions,
  ListPage,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "../../src/kube/kube_api.ts";
import { keyText, type KubeObject, type New, type ObjectKey } from "../../src/kube/objects.ts";
import {
  apiVersionOf,
  type Resource,
  type ResourceNames,
  resourceText,
} from "../../src/kube/resource.ts";
import { changeWithin, isSelected } from "./kube_selection.ts";
import { applyPatch, isObject, type Json, jsonPatch, mergePatch } from "./kube_patches.ts";

interface Change {
  readonly version: number;
  readonly kind: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
  /** As it is told: the last state of what is deleted, in the version of its deletion. */
  readonly object: Json;
}

export type Verb = "get" | "list" | "watch" | "create" | "replace" | "patch" | "delete";

export interface FakeKubeOptions {
  /** Kinds whose `status` is written by its own path alone; all of the group k8slan's by default. */
  readonly withStatus?: readonly string[];
}

export class FakeKubeApi implements KubeApi {
  /** Each call, as in `create lans.lan.k8slan.io default/a`. */
  readonly calls: string[] = [];
  /** Called before each call; what it throws or rejects with is the answer. */
  onCall: (verb: Verb, resource: ResourceNames, key: string) => void | Promise<void> = () => {};
  readonly #withStatus: readonly string[];
  readonly #objects = new Map<string, Json>();
  /** What each field manager applied last, by object. */
  readonly #applied = new Map<string, Json>();
  #changes: Change[] = [];
  #version = 1;
  /** Watches from versions before this one are refused. */
  #oldest = 0;
  #uids = 0;
  #wakers = new Set<() => void>();
  /** Raised to end all watches. */
  #watchEra = 0;

  constructor({ withStatus = ["lans.lan.k8slan.io"] }: FakeKubeOptions = {}) {
    this.#withStatus = withStatus;
  }

  /** Forgets all past changes: watches end, and none can go on where it was. */
  compact(): void {
    this.#oldest = this.#version;
    this.#changes = [];
    this.endWatches();
  }

  /** Ends all watches, as the server does now and then. */
  endWatches(): void {
    this.#watchEra++;
    this.#wake();
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    await this.#call("get", resource, key, options);
    const object = this.#objects.get(place(resource, key));
    return object === undefined ? undefined : this.#give(resource, object);
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<ListPage<T>> {
    await this.#call("list", resource, undefined, options);
    // A token is the version of the list and the place of the last object: what changes in between
    // is not kept out of later pages here.
    const token = options.continue ?? `${this.#version} `;
    const [version, after] = [token.replace(/ .*/, ""), token.replace(/^\S* /, "")];
    if (Number(version) < this.#oldest) throw failure("list", 410, "Expired");
    const found = [...this.#objects.keys()].sort().filter((at) => {
      const object = this.#objects.get(at);
      return at > after && at.startsWith(`${resourceText(resource)} `) &&
        isSelected(object, options);
    });
    const limit = options.limit ?? found.length;
    const last = found[limit - 1];
    return {
      items: found.slice(0, limit).map((at) => this.#give(resource, this.#objects.get(at)!)),
      resourceVersion: version,
      ...(found.length > limit ? { continue: `${version} ${last}` } : {}),
    };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    await this.#call("watch", resource, undefined, options);
    options.onOpen?.();
    const era = this.#watchEra;
    let seen = Number(options.resourceVersion);
    if (seen < this.#oldest) throw failure("watch", 410, "Expired");
    for (;;) {
      if (options.signal?.aborted) throw options.signal.reason;
      if (era !== this.#watchEra) {
        if (seen >= this.#oldest) {
          yield { type: "bookmark", resourceVersion: String(this.#version) };
        }
        return;
      }
      const change = this.#changes.find(({ version }) => version > seen);
      if (change === undefined) {
        await this.#change(options.signal);
        continue;
      }
      seen = change.version;
      const type = change.kind === resourceText(resource)
        ? changeWithin(change.before, change.after, options)
        : undefined;
      if (type !== undefined) yield { type, object: this.#give(resource, change.object) };
    }
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: New<T>,
    options: CallOptions = {},
  ): Promise<T> {
    await this.#call("create", resource, object.metadata, options);
    return this.#give(resource, this.#add(resource, object));
  }

  async replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#call("replace", resource, object.metadata, options);
    const before = this.#existing("replace", resource, object.metadata);
    const wanted = structuredClone(object) as unknown as Json;
    return this.#give(resource, this.#write("replace", resource, before, wanted, options));
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#call("patch", resource, key, options);
    if (patch.type === "apply") {
      return this.#give(resource, this.#apply(resource, key, patch, options));
    }
    const before = this.#existing("patch", resource, key);
    let wanted: unknown;
    try {
      wanted = patch.type === "merge"
        ? mergePatch(before, structuredClone(patch.body))
        : jsonPatch(before, structuredClone(patch.steps));
    } catch (error) {
      throw failure("patch", 422, "Invalid", String(error));
    }
    return this.#give(resource, this.#write("patch", resource, before, wanted as Json, options));
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    await this.#call("delete", resource, key, options);
    const before = this.#objects.get(place(resource, key));
    if (before === undefined) return false;
    const meta = metaOf(before);
    const { uid, resourceVersion } = options;
    if (uid !== undefined && uid !== meta["uid"]) throw failure("delete", 409, "Conflict");
    if (resourceVersion !== undefined && resourceVersion !== meta["resourceVersion"]) {
      throw failure("delete", 409, "Conflict");
    }
    if (finalizersOf(before).length === 0) {
      this.#remove(resource, before);
    } else if (meta["deletionTimestamp"] === undefined) {
      const deletionTimestamp = new Date().toISOString();
      this.#store(resource, { ...before, metadata: { ...meta, deletionTimestamp } }, before);
    }
    return true;
  }

  #apply(
    resource: ResourceNames,
    key: ObjectKey,
    patch: Patch & { readonly type: "apply" },
    options: WriteOptions,
  ): Json {
    const owner = `${place(resource, key)} ${patch.fieldManager} ${options.subresource ?? ""}`;
    const { metadata, ...body } = structuredClone(patch.body) as Json;
    const { name: _1, namespace: _2, ...meta } = isObject(metadata) ? metadata : {};
    const applied: Json = { ...body, metadata: meta };
    const before = this.#objects.get(place(resource, key));
    let result: Json;
    if (before === undefined) {
      if (options.subresource !== undefined) throw failure("apply", 404, "NotFound");
      result = this.#add(resource, { ...body, metadata: { ...meta, ...key } });
    } else {
      const wanted = applyPatch(before, applied, this.#applied.get(owner) ?? {});
      result = this.#write("apply", resource, before, wanted, options);
    }
    this.#applied.set(owner, applied);
    return result;
  }

  async #call(
    verb: Verb,
    resource: ResourceNames,
    key: ObjectKey | undefined,
    { signal, beforeSend }: CallOptions,
  ): Promise<void> {
    signal?.throwIfAborted();
    const text = key === undefined ? "" : keyText(key);
    await this.onCall(verb, resource, text);
    signal?.throwIfAborted();
    beforeSend?.();
    this.calls.push(`${verb} ${resourceText(resource)} ${text}`.trim());
  }

  #add(resource: ResourceNames, given: { readonly metadata: unknown }): Json {
    const { metadata, ...body } = structuredClone(given) as Json;
    const meta = isObject(metadata) ? metadata : {};
    const key = { name: String(meta["name"]), ...namespaceOf(meta) };
    if (this.#objects.has(place(resource, key))) throw failure("create", 409, "AlreadyExists");
    if (this.#hasStatus(resource)) delete body["status"];
    const object: Json = {
      ...body,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        ...meta,
        uid: `uid-${++this.#uids}`,
        creationTimestamp: new Date().toISOString(),
        ...(this.#hasStatus(resource) ? { generation: 1 } : {}),
      },
    };
    return this.#store(resource, object);
  }

  #existing(action: string, resource: ResourceNames, key: ObjectKey): Json {
    const object = this.#objects.get(place(resource, key));
    if (object === undefined) throw failure(action, 404, "NotFound");
    return object;
  }

  /** Stores what of `wanted` may be changed this way. */
  #write(
    action: string,
    resource: ResourceNames,
    before: Json,
    wanted: Json,
    { subresource }: WriteOptions,
  ): Json {
    const [old, meta] = [metaOf(before), metaOf(wanted)];
    if (
      meta["resourceVersion"] !== undefined && meta["resourceVersion"] !== old["resourceVersion"]
    ) {
      throw failure(action, 409, "Conflict");
    }
    if (meta["uid"] !== undefined && meta["uid"] !== old["uid"]) {
      throw failure(action, 409, "Conflict");
    }
    const fixed: Json = {};
    for (const field of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"]) {
      if (old[field] !== undefined) fixed[field] = old[field];
    }
    if (old["generation"] !== undefined) fixed["generation"] = old["generation"];
    const hasStatus = this.#hasStatus(resource);
    let next: Json;
    if (subresource === "status") {
      if (!hasStatus) throw failure(action, 404, "NotFound");
      next = { ...before, ...(wanted["status"] === undefined ? {} : { status: wanted["status"] }) };
    } else {
      next = { ...wanted, metadata: { ...meta, ...fixed } };
      if (hasStatus) {
        delete next["status"];
        if (before["status"] !== undefined) next["status"] = before["status"];
        if (!isSame(next["spec"], before["spec"])) {
          metaOf(next)["generation"] = Number(old["generation"]) + 1;
        }
      }
    }
    next = { ...next, metadata: { ...metaOf(next), resourceVersion: old["resourceVersion"] } };
    if (isSame(next, before)) return before;
    if (old["deletionTimestamp"] !== undefined && finalizersOf(next).length === 0) {
      this.#remove(resource, next);
      return next;
    }
    return this.#store(resource, next, before);
  }

  #store(resource: ResourceNames, object: Json, before?: Json): Json {
    const version = ++this.#version;
    const meta = { ...metaOf(object), resourceVersion: String(version) };
    const stored: Json = { ...object, metadata: meta };
    this.#objects.set(placeOf(resource, stored), stored);
    const kind = resourceText(resource);
    this.#tell({ version, kind, before, after: stored, object: stored });
    return stored;
  }

  #remove(resource: ResourceNames, object: Json): void {
    const version = ++this.#version;
    this.#objects.delete(placeOf(resource, object));
    const last = { ...object, metadata: { ...metaOf(object), resourceVersion: String(version) } };
    const kind = resourceText(resource);
    this.#tell({ version, kind, before: object, after: undefined, object: last });
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakers.add(resolve);
    signal?.addEventListener("abort", () => resolve());
    await promise;
    this.#wakers.delete(resolve);
  }

  #hasStatus(resource: ResourceNames): boolean {
    return this.#withStatus.includes(resourceText(resource));
  }

  #give<T extends KubeObject>(resource: Resource<T>, object: Json): T {
    return resource.decode(structuredClone(object));
  }
}

function failure(action: string, code: number, reason: string, message = "as a fake"): KubeError {
  return kubeErrorOf(action, code, { kind: "Status", reason, message });
}

function metaOf(object: Json): Json {
  const meta = object["metadata"];
  return isObject(meta) ? meta : {};
}

function finalizersOf(object: Json): readonly unknown[] {
  const list = metaOf(object)["finalizers"];
  return Array.isArray(list) ? list : [];
}

function namespaceOf(meta: Json): { namespace?: string } {
  return typeof meta["namespace"] === "string" ? { namespace: meta["namespace"] } : {};
}

function place(resource: ResourceNames, key: ObjectKey): string {
  return `${resourceText(resource)} ${keyText(key)}`;
}

function placeOf(resource: ResourceNames, object: Json): string {
  const meta = metaOf(object);
  return place(resource, { name: String(meta["name"]), ...namespaceOf(meta) });
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map((
      [key, item],
    ) => [key, sorted(item)]),
  );
}
