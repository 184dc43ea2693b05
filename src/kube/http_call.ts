/** One call: it ends at its caller's wish, or when something takes too long. */

export class HttpCall implements Disposable {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #abort = () => this.#controller.abort(this.#caller?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endsAt = Infinity;
  /** What took too long, as in "there was no answer within 5 s". */
  overdue: string | undefined;
  /** What it was last sent with. */
  client: Deno.HttpClient | undefined;

  constructor(caller: AbortSignal | undefined) {
    this.#caller = caller;
    if (caller?.aborted) this.#abort();
    caller?.addEventListener("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds until its time is over. */
  get leftMs(): number {
    return this.#endsAt - performance.now();
  }

  /** From now on it has `ms` milliseconds; after that, `what` is what was wrong. */
  limit(ms: number, what: string): void {
    this.unlimit();
    this.#endsAt = performance.now() + ms;
    this.#timer = setTimeout(() => {
      this.overdue = `${what} within ${ms / 1_000} s`;
      this.#controller.abort();
    }, ms);
  }

  unlimit(): void {
    clearTimeout(this.#timer);
    this.#endsAt = Infinity;
  }

  [Symbol.dispose](): void {
    this.unlimit();
    this.#caller?.removeEventListener("abort", this.#abort);
  }
}
