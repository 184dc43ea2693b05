/** What is known of a kind, by name and by whatever else it is looked up by. */

import { keyOf, keyText, type KubeObject, type ObjectKey } from "./objects.ts";
import type { ResourceEvent } from "./watcher.ts";

/** The objects by one of their properties. */
export interface Index<T> {
  /** All objects that have `value`, in no order. */
  get(value: string): readonly T[];
}

/** Kept up to date by the events of a watcher; read by everybody else. */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: StoreIndex<T>[] = [];
  readonly #synced = Promise.withResolvers<void>();
  #isSynced = false;

  /** Whether everything that is there has been told once. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Resolves when everything that is there has been told once. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(keyText(key));
  }

  values(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Keeps an index from now on; `valuesOf` gives the values that an object is found by. */
  index(valuesOf: (object: T) => readonly string[]): Index<T> {
    const index = new StoreIndex(valuesOf);
    for (const [key, object] of this.#objects) index.add(key, object);
    this.#indexes.push(index);
    return index;
  }

  apply(event: ResourceEvent<T>): void {
    if (event.type === "synced") {
      this.#isSynced = true;
      this.#synced.resolve();
      return;
    }
    const { object } = event;
    const key = keyText(keyOf(object));
    const before = this.#objects.get(key);
    if (before !== undefined) {
      for (const index of this.#indexes) index.remove(key, before);
    }
    if (event.type === "deleted") {
      this.#objects.delete(key);
    } else {
      this.#objects.set(key, object);
      for (const index of this.#indexes) index.add(key, object);
    }
  }
}

class StoreIndex<T> implements Index<T> {
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #byValue = new Map<string, Map<string, T>>();

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  get(value: string): readonly T[] {
    return [...this.#byValue.get(value)?.values() ?? []];
  }

  add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#byValue.get(value) ?? new Map<string, T>();
      found.set(key, object);
      this.#byValue.set(value, found);
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#byValue.get(value);
      found?.delete(key);
      if (found?.size === 0) this.#byValue.delete(value);
    }
  }
}
