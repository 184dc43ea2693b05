/** All objects of a kind as the API server tells of them, and the moments at which that happens. */

import type { KubeApi, Selection } from "../../src/kube/kube_api.ts";
import { keyOf, keyText, type KubeObject } from "../../src/kube/objects.ts";
import type { Resource } from "../../src/kube/resource.ts";
import { watchResource } from "../../src/kube/watcher.ts";

const TIMEOUT_MS = 60_000;

type Waiter = () => void;

export class Follower<T extends KubeObject> implements AsyncDisposable {
  readonly objects = new Map<string, T>();
  readonly #what: string;
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  readonly #running: Promise<void>;

  constructor(api: KubeApi, resource: Resource<T>, selection: Selection = {}) {
    this.#what = resource.plural;
    this.#running = this.#run(api, resource, selection);
  }

  async #run(api: KubeApi, resource: Resource<T>, selection: Selection): Promise<void> {
    const { signal } = this.#stop;
    for await (const event of watchResource(api, resource, { ...selection, signal })) {
      if (event.type === "applied") {
        this.objects.set(keyText(keyOf(event.object)), event.object);
      } else if (event.type === "deleted") {
        this.objects.delete(keyText(keyOf(event.object)));
      }
      for (const wake of this.#waiters) wake();
    }
  }

  /**
   * When `isSo` of the objects first holds: now, or at the event that made it so. As
   * `performance.now()`. Throws when that takes too long.
   */
  async until(
    what: string,
    isSo: (objects: ReadonlyMap<string, T>) => boolean,
    timeoutMs = TIMEOUT_MS,
  ): Promise<number> {
    if (isSo(this.objects)) return performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const wake = () => {
      if (isSo(this.objects)) resolve(performance.now());
    };
    const timer = setTimeout(() => {
      reject(new Error(`Not within ${timeoutMs} ms: ${what} (${this.objects.size} ${this.#what})`));
    }, timeoutMs);
    this.#waiters.add(wake);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(wake);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
