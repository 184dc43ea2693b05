/** Open namespaces with a netlink socket in each. */

import { NetlinkClient, type Transport } from "../netlink/client.ts";
import { HOST, type Place } from "../plan/ops.ts";
import { NETLINK_NETFILTER, openNetlinkSocket } from "../sys/netlink_socket.ts";
import { homeNetns, type Netns, openNetns, withNetns } from "../sys/netns.ts";

/** Opens a netlink socket in the namespace of the calling thread, of rtnetlink unless told otherwise. */
export type OpenTransport = (protocol?: number) => Transport;

export class OpenPlace implements Disposable {
  readonly netns: Netns;
  readonly client: NetlinkClient;
  readonly #open: OpenTransport;
  readonly #owned: boolean;
  #filters?: NetlinkClient;

  constructor(netns: Netns, open: OpenTransport, owned: boolean) {
    this.netns = netns;
    this.client = new NetlinkClient(withNetns(netns, () => open()));
    this.#open = open;
    this.#owned = owned;
  }

  /** Opened when it is first asked for. Throws where the kernel has no netfilter. */
  get filters(): NetlinkClient {
    return this.#filters ??= new NetlinkClient(
      withNetns(this.netns, () => this.#open(NETLINK_NETFILTER)),
    );
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
    this.#filters?.closeInBackground();
    // A socket keeps its namespace alive just as the file does, so both must go.
    if (this.#owned) this.netns[Symbol.dispose]();
  }
}

/** Opens the namespace of `place` and a socket in it. */
export function openPlace(place: Place, open: OpenTransport = openNetlinkSocket): OpenPlace {
  if (place === HOST) return new OpenPlace(homeNetns(), open, false);
  const netns = openNetns(place);
  try {
    return new OpenPlace(netns, open, true);
  } catch (error) {
    netns[Symbol.dispose]();
    throw error;
  }
}

/** Opens each place once, when it is first asked for, and closes all of them together. */
export class Places implements Disposable {
  readonly #open = new Map<Place, OpenPlace>();
  readonly #transport: OpenTransport;

  constructor(transport: OpenTransport = openNetlinkSocket) {
    this.#transport = transport;
  }

  get(place: Place): OpenPlace {
    const known = this.#open.get(place);
    if (known !== undefined) return known;
    const opened = openPlace(place, this.#transport);
    this.#open.set(place, opened);
    return opened;
  }

  /** Closes one place, so that nothing here keeps its namespace alive. */
  close(place: Place): void {
    this.#open.get(place)?.[Symbol.dispose]();
    this.#open.delete(place);
  }

  [Symbol.dispose](): void {
    for (const place of [...this.#open.keys()]) this.close(place);
  }
}
