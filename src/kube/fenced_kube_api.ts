/** An API that writes only as long as a term of leadership lasts. */

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
} from "./kube_api.ts";
import type { LeaderTerm } from "./leader_term.ts";
import type { KubeObject, New, ObjectKey } from "./objects.ts";
import type { Resource } from "./resource.ts";

/**
 * Guarantee: no write is sent after the term. What had been sent may still arrive: writes therefore
 * name the version or the UID they are about, so that the server refuses them if others were there.
 */
export class FencedKubeApi implements KubeApi {
  readonly #api: KubeApi;
  readonly #term: LeaderTerm;

  constructor(api: KubeApi, term: LeaderTerm) {
    this.#api = api;
    this.#term = term;
  }

  get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: CallOptions,
  ): Promise<T | undefined> {
    return this.#api.get(resource, key, options);
  }

  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ListPage<T>> {
    return this.#api.list(resource, options);
  }

  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, void> {
    return this.#api.watch(resource, options);
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: New<T>,
    options?: CallOptions,
  ): Promise<T> {
    return this.#api.create(resource, object, { ...options, ...this.#fenced(options) });
  }

  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T> {
    return this.#api.replace(resource, object, { ...options, ...this.#fenced(options) });
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T> {
    return this.#api.patch(resource, key, patch, { ...options, ...this.#fenced(options) });
  }

  delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: DeleteOptions,
  ): Promise<boolean> {
    return this.#api.delete(resource, key, { ...options, ...this.#fenced(options) });
  }

  #fenced({ signal, beforeSend }: CallOptions = {}): CallOptions {
    return {
      signal: signal ?? this.#term.signal,
      beforeSend: () => {
        beforeSend?.();
        this.#term.assertHeld();
      },
    };
  }
}
