/** What controller and agent need of a Kubernetes API server, and no more. */

import type { KubeObject, New, ObjectKey } from "./objects.ts";
import type { Resource } from "./resource.ts";

export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds for all of the call, waiting and retries included. */
  readonly deadlineMs?: number;
  /** Called right before each sending; what it throws ends the call and nothing is sent. */
  readonly beforeSend?: () => void;
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListOptions extends Selection, CallOptions {
  /** Most objects of one page. */
  readonly limit?: number;
  /** From the page before. */
  readonly continue?: string;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  /** Where a watch that continues this list has to begin; the same on all pages. */
  readonly resourceVersion: string;
  /** Absent on the last page. */
  readonly continue?: string;
}

export interface WatchOptions extends Selection, CallOptions {
  readonly resourceVersion: string;
  /** Seconds after which the server ends the watch. */
  readonly timeoutSeconds?: number;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly idleMs?: number;
  /** Called once the server has begun to answer, which may be long before the first event. */
  readonly onOpen?: () => void;
}

export type WatchEvent<T> =
  | { readonly type: "added" | "modified" | "deleted"; readonly object: T }
  /** Nothing changed up to this version. */
  | { readonly type: "bookmark"; readonly resourceVersion: string };

/** One step of RFC 6902. */
export type JsonPatchStep =
  | { readonly op: "test" | "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export type Patch =
  /** RFC 7386: null removes a field, a list replaces a list. */
  | { readonly type: "merge"; readonly body: object }
  | { readonly type: "json"; readonly steps: readonly JsonPatchStep[] }
  /**
   * Server-side apply: makes the object if need be, and owns the fields of `body`: those it owned
   * before and that `body` lacks are removed. Fields of other owners are left alone, or taken over
   * where `body` has them.
   */
  | { readonly type: "apply"; readonly body: object; readonly fieldManager: string };

export interface WriteOptions extends CallOptions {
  readonly subresource?: "status";
}

export interface DeleteOptions extends CallOptions {
  /** Delete this very object only, not another one of its name: else 409. */
  readonly uid?: string;
  /** Delete it in this state only: else 409. */
  readonly resourceVersion?: string;
}

/**
 * All calls throw KubeError for what the server answers and K8slanError for having no usable answer,
 * after which it is unknown whether a write happened. Nothing is retried but what the server turned
 * away unread: callers try again by themselves, after having looked at the state.
 */
export interface KubeApi {
  /** The object, or undefined if there is none. */
  get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: CallOptions,
  ): Promise<T | undefined>;

  /** One page. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ListPage<T>>;

  /** The changes after a version, until the server ends the watch; then it returns. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, void>;

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: New<T>,
    options?: CallOptions,
  ): Promise<T>;

  /** Writes the whole object, if it still has the `resourceVersion` that is given: else 409. */
  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;

  patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>;

  /** Whether there was an object to delete. One with finalizers goes later. */
  delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options?: DeleteOptions,
  ): Promise<boolean>;
}
