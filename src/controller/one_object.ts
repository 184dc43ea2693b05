/** One object by its name, followed for ever. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import { isForbidden } from "../kube/kube_error.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import type { Resource } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import { watchResource } from "../kube/watcher.ts";

export interface OneObjectOptions<T extends KubeObject> {
  readonly api: KubeApi;
  readonly resource: Resource<T>;
  readonly key: ObjectKey;
  readonly log: Log;
  /** Whether it may be missing along with the permission to see it, of which nothing is said then. */
  readonly isOptional?: boolean;
}

export class OneObject<T extends KubeObject> {
  readonly #options: OneObjectOptions<T>;
  readonly #store = new Store<T>();

  constructor(options: OneObjectOptions<T>) {
    this.#options = options;
  }

  /** Whether it, or its absence, has been seen. */
  get isSynced(): boolean {
    return this.#store.isSynced;
  }

  get object(): T | undefined {
    return this.#store.get(this.#options.key);
  }

  /** Follows it until `signal` fires; `changed` is called after each change. */
  async run(changed: () => void, signal: AbortSignal): Promise<void> {
    const { api, resource, key: { namespace, name }, log, isOptional = false } = this.#options;
    let troubles = 0;
    const watching = watchResource(api, resource, {
      signal,
      ...(namespace === undefined ? {} : { namespace }),
      // The role allows this one object and no other.
      fieldSelector: `metadata.name=${name}`,
      onTrouble: ({ during, error, afterMs }) => {
        const isExpected = isOptional && isForbidden(error);
        const level = !isExpected && troubles++ === 0 ? "warn" : "debug";
        const what = `${resource.kind} "${name}"`;
        log[level](`The ${during} of ${what} failed`, { afterMs, error: describe(error) });
      },
    });
    for await (const event of watching) {
      troubles = 0;
      this.#store.apply(event);
      changed();
    }
  }
}
