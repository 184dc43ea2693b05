/** What is on a node for one LAN, as read from the kernel. */

import type { ForwardingEntry } from "../netlink/forwarding.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import type { Mark } from "./mark.ts";
import type { PortFilter } from "./protection.ts";

export interface ObservedLan {
  readonly netns: ObservedNetns;
  /** Links in the LAN's namespace, by name. */
  readonly links: ReadonlyMap<string, LinkInfo>;
  /** Host ends of the spokes asked about, by name. */
  readonly hostLinks: ReadonlyMap<string, LinkInfo>;
  /** Links of the workloads asked about: path of the namespace, then name. */
  readonly targets: ReadonlyMap<string, ReadonlyMap<string, LinkInfo>>;
  /** What bridge ports take in; absent where there is no table of ours. */
  readonly filters?: ObservedFilters;
  /** Tables of the VXLANs among `links` that have no group. */
  readonly forwarding: readonly ForwardingEntry[];
}

/** By bridge port; "damaged" where something is there that we did not put there. */
export type ObservedFilters = ReadonlyMap<string, PortFilter | "damaged">;

export type ObservedNetns =
  | { readonly state: "absent" }
  /** A file that a crash left before the namespace was bound to it. */
  | { readonly state: "unfinished" }
  | { readonly state: "ours"; readonly mark: Mark }
  | { readonly state: "foreign"; readonly found: string };
