/** Runs tasks of one key one after the other, in the order they came; different keys at once. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** The result of `task`, which starts when every earlier task of `key` has settled. */
  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(task);
    const tail = result.then(() => {}, () => {});
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
