/** Kubelet's device plugin folder: where it listens, and where it looks for the plugins' sockets. */

import { fileIdentity, socketIdentity } from "./socket_file.ts";

/** Of the file name at which kubelet takes registrations. */
const KUBELET_SOCKET = "kubelet.sock";
/** Events are taken together for so long: of kubelet's socket, and of all others. Milliseconds. */
const KUBELET_SETTLE_MS = 10;
const SETTLE_MS = 100;
/** How often kubelet's socket is looked at without an event: the folder itself may be replaced. */
const POLL_MS = 1_000;
/** So many polls apart everything is looked at, should the system have lost events. */
const FULL_POLLS = 30;

export interface PluginFolderView {
  /** Another text each time that kubelet made its socket; undefined while it has none. */
  readonly kubelet: string | undefined;
  /** The sockets there by file name, kubelet's among them; the text tells one from its successor. */
  readonly sockets: ReadonlyMap<string, string>;
}

/** Of kubelet's socket in `folder`. */
export function kubeletSocket(folder: string): string {
  return `${folder}/${KUBELET_SOCKET}`;
}

/** What is in `folder` now; nothing if there is no such folder. */
export function viewPluginFolder(folder: string): PluginFolderView {
  const sockets = new Map<string, string>();
  for (const name of fileNames(folder)) {
    const identity = socketIdentity(`${folder}/${name}`);
    if (identity !== undefined) sockets.set(name, identity);
  }
  return { kubelet: sockets.get(KUBELET_SOCKET), sockets };
}

/**
 * Calls `changed` once at the start and then soon after each change in `folder`, until `signal`
 * fires. The folder need not exist. Kubelet empties it at every start, and removing it makes no
 * difference.
 */
export async function watchPluginFolder(
  folder: string,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const call = new DelayedCall(changed);
  const soon = () => call.within(KUBELET_SETTLE_MS);
  const event = ({ paths }: Deno.FsEvent) => {
    if (paths.some((path) => path.endsWith(`/${KUBELET_SOCKET}`))) soon();
    // Kubelet writes a file for each list that it gets.
    else if (paths.some((path) => path.endsWith(".sock"))) call.within(SETTLE_MS);
  };
  let seen = pollView(folder);
  let watcher = openWatcher(folder, event);
  soon();
  let polls = 0;
  const poll = setInterval(() => {
    if (++polls % FULL_POLLS === 0) soon();
    const now = pollView(folder);
    if (now.folder !== seen.folder || watcher === undefined) {
      watcher?.close();
      watcher = openWatcher(folder, event);
    }
    if (now.folder !== seen.folder || now.kubelet !== seen.kubelet) soon();
    seen = now;
  }, POLL_MS);
  await aborted(signal);
  clearInterval(poll);
  call.cancel();
  watcher?.close();
}

function pollView(folder: string): { folder: string | undefined; kubelet: string | undefined } {
  return { folder: fileIdentity(folder), kubelet: fileIdentity(kubeletSocket(folder)) };
}

function openWatcher(
  folder: string,
  event: (event: Deno.FsEvent) => void,
): Deno.FsWatcher | undefined {
  try {
    const watcher = Deno.watchFs(folder, { recursive: false });
    forward(watcher, event);
    return watcher;
  } catch {
    return undefined; // not there yet: the poll tries again
  }
}

async function forward(
  watcher: Deno.FsWatcher,
  handle: (event: Deno.FsEvent) => void,
): Promise<void> {
  try {
    for await (const event of watcher) if (event.kind !== "access") handle(event);
  } catch {
    // the poll sees what comes
  }
}

/** Calls that are asked for at about the same time become one. */
class DelayedCall {
  readonly #call: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;

  constructor(call: () => void) {
    this.#call = call;
  }

  within(ms: number): void {
    const dueAt = performance.now() + ms;
    if (dueAt >= this.#dueAt) return;
    this.cancel();
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity;
      this.#call();
    }, ms);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

function fileNames(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    return [];
  }
}
