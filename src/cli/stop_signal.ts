/** Ending in good order when the system asks for it. */

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Runs `work` with a signal that SIGTERM or SIGINT fires; a second one ends the process at once. */
export async function untilStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = () => {
    forget();
    stop.abort();
  };
  const forget = () => SIGNALS.forEach((name) => Deno.removeSignalListener(name, onSignal));
  SIGNALS.forEach((name) => Deno.addSignalListener(name, onSignal));
  try {
    return await work(stop.signal);
  } finally {
    forget();
  }
}
