/** Doing something once for all that asked for it within a while. */

/** However often it is asked: at most once each `ms` milliseconds, and never later than that. */
export class Soon implements Disposable {
  readonly #ms: number;
  readonly #act: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, act: () => void) {
    this.#ms = ms;
    this.#act = act;
  }

  ask(): void {
    this.#timer ??= setTimeout(() => this.flush(), this.#ms);
  }

  /** Does now what was asked for, if it was. */
  flush(): void {
    if (this.#timer === undefined) return;
    this[Symbol.dispose]();
    this.#act();
  }

  /** Forgets what was asked for. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
