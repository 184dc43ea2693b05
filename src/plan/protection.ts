/** What a LAN lets its own workloads send: any address and any amount, unless it says otherwise. */

import type { LanSpec } from "../api/lan.ts";
import type { PlanCondition, WantedLan } from "./wanted.ts";

/** Of all of a LAN's attachments. */
export interface Protection {
  readonly pinMac: boolean;
  readonly broadcast?: BroadcastLimit;
}

/** Broadcast and multicast frames of one attachment. */
export interface BroadcastLimit {
  /** Frames a second. */
  readonly rate: number;
  /** Frames at once after a quiet second. */
  readonly burst: number;
}

/** What one bridge port takes in; without either, everything. */
export interface PortFilter {
  /** The only source address. */
  readonly mac?: string;
  readonly broadcast?: BroadcastLimit;
}

/**
 * Fewest frames at once, however low the rate: an interface that comes up asks for addresses, groups
 * and neighbours within a few milliseconds.
 */
const BURST_MIN = 20;

/** Undefined for a LAN that asks for none. */
export function protectionOf({ pinMac = false, broadcastLimit }: LanSpec): Protection | undefined {
  if (!pinMac && broadcastLimit === undefined) return undefined;
  return {
    pinMac,
    ...(broadcastLimit === undefined
      ? {}
      : { broadcast: { rate: broadcastLimit, burst: Math.max(BURST_MIN, broadcastLimit) } }),
  };
}

/** What an attachment with that address gets. */
export function portFilter(
  { pinMac, broadcast }: Protection,
  mac: string | undefined,
): PortFilter | undefined {
  const pinned = pinMac && mac !== undefined;
  if (!pinned && broadcast === undefined) return undefined;
  return {
    ...(pinned ? { mac } : {}),
    ...(broadcast === undefined ? {} : { broadcast }),
  };
}

/**
 * The LAN as a kernel that cannot filter can have it. What is attached goes on unfiltered; nothing
 * more is attached, as it would have less protection than was asked for.
 */
export function unprotected(wanted: WantedLan, problem: string): WantedLan {
  const { protection, conditions, ...rest } = wanted;
  if (protection === undefined) return wanted;
  return { ...rest, conditions: [...conditions, filterCondition(wanted.lan, protection, problem)] };
}

/** What to say of a LAN on a node whose kernel cannot filter. */
export function filterCondition(
  lan: string,
  { pinMac, broadcast }: Protection,
  problem: string,
): PlanCondition {
  const asked = [pinMac ? "pinMac" : [], broadcast === undefined ? [] : "broadcastLimit"].flat();
  return {
    reason: "FilterUnavailable",
    blocking: true,
    retriable: false,
    message: `LAN "${lan}" asks for ${
      asked.map((name) => `spec.${name}`).join(" and ")
    }, which this node cannot give: ${problem}; load or build the kernel modules nf_tables and nft_limit (CONFIG_NF_TABLES_NETDEV), or take ${
      asked.length === 1 ? "that field" : "those fields"
    } out of the LAN`,
  };
}
