/** A KubeApi whose lists and watches a test answers one by one, without a server. */

import type {
  KubeApi,
  ListOptions,
  ListPage,
  WatchEvent,
  WatchOptions,
} from "../../src/kube/kube_api.ts";
import type { LanObject } from "../../src/kube/resources.ts";

export interface AskedList {
  readonly options: ListOptions;
  answer(page: ListPage<LanObject>): void;
  fail(error: unknown): void;
}

export interface AskedWatch {
  readonly options: WatchOptions;
  send(event: WatchEvent<LanObject>): void;
  /** Ends the watch; with an error if one is given. */
  end(error?: unknown): void;
}

export type Asked =
  | ({ readonly kind: "list" } & AskedList)
  | ({ readonly kind: "watch" } & AskedWatch);

/** All other calls fail. */
export class ScriptedKubeApi {
  /** What was asked and not looked at yet. */
  readonly asked: Asked[] = [];

  /** As the interface for one kind. */
  get api(): KubeApi {
    return this as unknown as KubeApi;
  }

  /** What was asked since, as short text. */
  take(): string[] {
    return this.asked.splice(0).map((asked) =>
      asked.kind === "list"
        ? `list${asked.options.limit === undefined ? " unpaged" : ""}${
          asked.options.continue === undefined ? "" : ` from ${asked.options.continue}`
        }`
        : `watch ${asked.options.resourceVersion}`
    );
  }

  list(_: unknown, options: ListOptions = {}): Promise<ListPage<LanObject>> {
    const { promise, resolve, reject } = Promise.withResolvers<ListPage<LanObject>>();
    options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
    this.asked.push({ kind: "list", options, answer: resolve, fail: reject });
    return promise;
  }

  async *watch(
    _: unknown,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<LanObject>, void, void> {
    const waiting: (WatchEvent<LanObject> | { readonly error?: unknown })[] = [];
    let wake = () => {};
    const push = (item: WatchEvent<LanObject> | { readonly error?: unknown }) => {
      waiting.push(item);
      wake();
    };
    options.signal?.addEventListener("abort", () => push({ error: options.signal?.reason }));
    this.asked.push({
      ...{ kind: "watch", options, send: push },
      end: (error) => push(error === undefined ? {} : { error }),
    });
    for (;;) {
      const item = waiting.shift();
      if (item === undefined) {
        await new Promise<void>((resolve) => wake = resolve);
      } else if ("type" in item) {
        yield item;
      } else {
        if (item.error !== undefined) throw item.error;
        return;
      }
    }
  }
}
