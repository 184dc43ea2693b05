/** Kernel events → which LANs to look at again. */

import type { Log } from "../base/log.ts";
import { decodeAddress } from "../netlink/address.ts";
import { decodeLink, type LinkInfo } from "../netlink/link_info.ts";
import { RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK } from "../netlink/wire/constants.ts";
import type { EventBatch, KernelEvent } from "../sys/netlink_events.ts";

/** What a LAN depends on outside and inside its namespace. */
export interface Dependencies {
  /** Id of its namespace in the host's. */
  readonly netnsId: number | undefined;
  readonly underlay: { readonly name: string; readonly index?: number } | undefined;
  /** Host ends of its spokes. */
  readonly spokes: readonly string[];
  /** It depends on every VXLAN in the host's namespace: those are not LANs'. */
  readonly vxlans?: true;
}

export class DriftWatch {
  readonly #suspect: (lanId: string) => void;
  readonly #log: Log;
  readonly #tracked = new Map<string, Dependencies>();
  readonly #byNetnsId = new Map<number, string>();
  readonly #byHostName = new Map<string, Set<string>>();
  readonly #ofVxlans = new Set<string>();
  /** Names by index, as last seen: address events carry the index only, renames the new name. */
  readonly #names = new Map<number, string>();
  /** By index, how a link that several LANs depend on looked last. */
  readonly #looks = new Map<number, string>();

  /** `suspect` is called for each LAN that an event may concern. */
  constructor(suspect: (lanId: string) => void, log: Log) {
    this.#suspect = suspect;
    this.#log = log;
  }

  /** From now on events about these reach the LAN. Replaces what was tracked for it. */
  track(lanId: string, dependencies: Dependencies): void {
    this.untrack(lanId);
    this.#tracked.set(lanId, dependencies);
    const { netnsId, underlay, vxlans } = dependencies;
    if (vxlans) this.#ofVxlans.add(lanId);
    if (netnsId !== undefined) this.#byNetnsId.set(netnsId, lanId);
    if (underlay?.index !== undefined) this.#names.set(underlay.index, underlay.name);
    for (const name of namesOf(dependencies)) {
      const users = this.#byHostName.get(name);
      if (users === undefined) this.#byHostName.set(name, new Set([lanId]));
      else users.add(lanId);
    }
  }

  untrack(lanId: string): void {
    const dependencies = this.#tracked.get(lanId);
    if (dependencies === undefined) return;
    this.#tracked.delete(lanId);
    this.#ofVxlans.delete(lanId);
    const { netnsId } = dependencies;
    if (netnsId !== undefined && this.#byNetnsId.get(netnsId) === lanId) {
      this.#byNetnsId.delete(netnsId);
    }
    for (const name of namesOf(dependencies)) {
      const users = this.#byHostName.get(name);
      users?.delete(lanId);
      if (users?.size === 0) this.#byHostName.delete(name);
    }
  }

  /** Handles events until the source ends. */
  async run(batches: AsyncIterable<EventBatch>): Promise<void> {
    for await (const { events, overrun } of batches) {
      if (overrun) {
        this.#log.warn("The kernel dropped events; looking at every LAN");
        this.#looks.clear();
      }
      for (const lanId of overrun ? this.#tracked.keys() : this.suspects(events)) {
        this.#suspect(lanId);
      }
    }
  }

  /** The LANs that these events may concern. */
  suspects(events: readonly KernelEvent[]): Set<string> {
    const suspects = new Set<string>();
    for (const { netnsId, message } of events) {
      if (netnsId !== undefined) {
        const lanId = this.#byNetnsId.get(netnsId);
        if (lanId !== undefined) suspects.add(lanId);
        continue;
      }
      const { type, payload } = message;
      const link = type === RTM_NEWLINK || type === RTM_DELLINK ? decodeLink(payload) : undefined;
      if (link?.attrs.kind === "vxlan") { for (const lanId of this.#ofVxlans) suspects.add(lanId); }
      const names = link === undefined
        ? this.#addressed(type, payload)
        : this.#linkNames(type === RTM_DELLINK, link);
      for (const name of names) {
        for (const lanId of this.#byHostName.get(name) ?? []) suspects.add(lanId);
      }
    }
    return suspects;
  }

  /** The device that an event about an address is about. */
  #addressed(type: number, payload: Uint8Array): string[] {
    if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return [];
    const name = this.#names.get(decodeAddress(payload).index);
    return name === undefined ? [] : [name];
  }

  /** The present and, after a rename, the former name of a link. */
  #linkNames(isGone: boolean, link: LinkInfo): string[] {
    const { index, name } = link;
    const before = this.#names.get(index);
    if (isGone || before !== name) this.#looks.delete(index);
    if (isGone) {
      this.#names.delete(index);
    } else if (this.#byHostName.has(name)) {
      this.#names.set(index, name);
      if (this.#looksTheSame(link)) return [];
    }
    return before === undefined || before === name ? [name] : [name, before];
  }

  /**
   * Is it a link of several LANs that looks as before? The kernel reports an underlay whenever a
   * VXLAN is laid on it or taken off: looking at all of its LANs each time would be quadratic.
   */
  #looksTheSame(link: LinkInfo): boolean {
    const users = this.#byHostName.get(link.name)?.size ?? 0;
    if (users < 2) return false;
    const look = JSON.stringify(link);
    if (this.#looks.get(link.index) === look) return true;
    this.#looks.set(link.index, look);
    return false;
  }
}

function namesOf({ underlay, spokes }: Dependencies): string[] {
  return underlay === undefined ? [...spokes] : [...spokes, underlay.name];
}
