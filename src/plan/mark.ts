/**
 * The mark that every link and namespace of ours carries as its alias (IFLA_IFALIAS, at most 255
 * bytes): nothing without it is ever changed or deleted, and what a crash left is found by it.
 */

import { hashHex } from "../base/hash.ts";

const PREFIX = "k8slan";
const UUID_LENGTH = 36;

/** How a LAN's UID stands in marks: as it is, unless it is so long that other fields would not fit. */
export function markId(uid: string): string {
  return uid.length <= UUID_LENGTH ? uid : hashHex(uid, 32);
}

export interface Mark {
  /** The LAN, by its `markId`. */
  readonly lan: string;
  /** `namespace/name` of the LAN: on the namespace only. */
  readonly name?: string;
  readonly spoke?: string;
  /** Whose attachment it is: on a bridge port, and only once the attachment is complete. */
  readonly container?: string;
  readonly ifname?: string;
  readonly attach?: "macvtap" | "veth";
}

const KEYS = ["lan", "name", "spoke", "container", "ifname", "attach"] as const;

/** `k8slan lan=UID spoke=pod1 …` */
export function formatMark(mark: Mark): string {
  const fields = KEYS.flatMap((key) => mark[key] === undefined ? [] : [`${key}=${mark[key]}`]);
  return [PREFIX, ...fields].join(" ");
}

/** The mark in an alias; undefined when the link is not ours. */
export function parseMark(alias: string | undefined): Mark | undefined {
  const [prefix, ...fields] = (alias ?? "").split(" ");
  if (prefix !== PREFIX) return undefined;
  const values = new Map(fields.map((field) => {
    const at = field.indexOf("=");
    return [field.slice(0, at), field.slice(at + 1)] as const;
  }));
  const lan = values.get("lan");
  if (lan === undefined) return undefined;
  const text = (key: (typeof KEYS)[number]) => {
    const value = values.get(key);
    return value === undefined ? {} : { [key]: value };
  };
  const attach = values.get("attach");
  return {
    lan,
    ...text("name"),
    ...text("spoke"),
    ...text("container"),
    ...text("ifname"),
    ...(attach === "macvtap" || attach === "veth" ? { attach } : {}),
  };
}
