/** Time as a parameter, so that tests can make it pass. */

export interface Clock {
  /** Milliseconds that never go backwards and know no date. They stand still in a suspended machine. */
  now(): number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` fires; the caller looks which. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The longest that a timer can be set to; a longer sleep ends early. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(Math.max(ms, 0), TIMER_MAX_MS));
      signal.addEventListener("abort", end);
    });
  },
};
