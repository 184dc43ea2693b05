/** Tells when what is in a folder may have changed, also where another folder comes in its place. */

import { systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

export interface WatchTimes {
  /** An editor writes a file in several steps: they are taken together. */
  readonly settleMs: number;
  /** The folder is looked at this often even if no event came (network file systems send none). */
  readonly pollMs: number;
  /** A folder that is not there, or that is another one by now, is looked for this often. */
  readonly lookMs: number;
}

export const WATCH_TIMES: WatchTimes = { settleMs: 100, pollMs: 30_000, lookMs: 1000 };

/** Calls `changed` after the content of `folder` changed, until `signal` fires. */
export async function watchFolder(
  folder: string,
  changed: () => void,
  signal: AbortSignal,
  log: Log,
  times: WatchTimes = WATCH_TIMES,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(changed, times.settleMs);
  };
  const poll = setInterval(changed, times.pollMs);
  try {
    while (!signal.aborted) {
      try {
        await watchOnce(folder, soon, signal, times.lookMs);
      } catch (error) {
        log.debug("Cannot watch folder", { error: describe(error) });
      }
      await systemClock.sleep(times.lookMs, signal);
    }
  } finally {
    clearTimeout(timer);
    clearInterval(poll);
  }
}

/** Until `signal` fires, or the path leads to another folder, or to none. */
async function watchOnce(
  path: string,
  soon: () => void,
  signal: AbortSignal,
  lookMs: number,
): Promise<void> {
  const folder = folderIdentity(path);
  using watcher = Deno.watchFs(path, { recursive: false });
  const close = () => watcher[Symbol.dispose]();
  const look = setInterval(() => {
    if (folderIdentity(path) === folder) return;
    soon();
    close();
  }, lookMs);
  signal.addEventListener("abort", close, { once: true });
  // What changed before it was watched.
  soon();
  try {
    for await (const event of watcher) if (event.kind !== "access") soon();
  } finally {
    clearInterval(look);
    signal.removeEventListener("abort", close);
  }
}

/** Which folder a path leads to; undefined if to none. */
function folderIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
