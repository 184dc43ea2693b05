/** Waiting for a state, by looking at it again and again. */

export interface UntilOptions {
  /** Milliseconds until it counts as failed. */
  readonly timeout?: number;
  /** Milliseconds between two looks. */
  readonly interval?: number;
}

/** A pause that ends so much later than it should is no pause: this process stood still. */
const STANDSTILL_MS = 200;

/**
 * The first result of `look` that is neither undefined nor false; an error that it throws counts as
 * "not yet". Throws with `what` and the last error when the time is over, in which a standstill of
 * this process does not count: it looked at nothing meanwhile, and what it waits for may be its own.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { timeout = 10_000, interval = 10 }: UntilOptions = {},
): Promise<T> {
  let deadline = performance.now() + timeout;
  for (;;) {
    let cause: unknown;
    try {
      const result = await look();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      cause = error;
    }
    const looked = performance.now();
    if (looked >= deadline) {
      throw new Error(`Not within ${timeout} ms: ${what}`, cause === undefined ? {} : { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
    const late = performance.now() - looked - interval;
    if (late >= STANDSTILL_MS) deadline += late;
  }
}
