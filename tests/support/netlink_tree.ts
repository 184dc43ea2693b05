/**
 * Netlink messages as sorted lines, for comparing two that say the same in another order.
 *
 * A reader of its own, apart from the codec under test. Order of attributes, padding, the
 * NLA_F_NESTED bit and the NUL behind a text mean nothing to the kernel and are left out.
 */

import {
  IFLA_IFALIAS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINKINFO,
  RTA_METRICS,
  VETH_INFO_PEER,
} from "../../src/netlink/wire/constants.ts";
import { encodeMessages, type Request } from "../../src/netlink/wire/message.ts";
import { toHex } from "./hex.ts";

/** What the attributes of one level hold: text, or attributes again behind `header` bytes. */
export interface Shape {
  readonly [type: number]: "text" | { readonly header: number; readonly inside: Shape };
}

export interface MessageShape {
  /** Length of the fixed part behind the netlink header. */
  readonly header: number;
  readonly inside: Shape;
}

function linkInfo(data: Shape): Shape {
  return {
    [IFLA_IFNAME]: "text",
    [IFLA_IFALIAS]: "text",
    [IFLA_LINKINFO]: {
      header: 0,
      inside: {
        [IFLA_INFO_KIND]: "text",
        [IFLA_INFO_SLAVE_KIND]: "text",
        [IFLA_INFO_DATA]: { header: 0, inside: data },
        [IFLA_INFO_SLAVE_DATA]: { header: 0, inside: {} },
      },
    },
  };
}

export const LINK: MessageShape = { header: 16, inside: linkInfo({}) };
export const VETH: MessageShape = {
  header: 16,
  inside: linkInfo({ [VETH_INFO_PEER]: { header: 16, inside: linkInfo({}) } }),
};
export const ADDRESS: MessageShape = { header: 8, inside: {} };
export const ROUTE: MessageShape = {
  header: 12,
  inside: { [RTA_METRICS]: { header: 0, inside: {} } },
};
export const NEIGHBOUR: MessageShape = { header: 12, inside: {} };
export const NAMESPACE_ID: MessageShape = { header: 4, inside: {} };

/** Lines like `18/2/5 = 00000000`: attribute types from the outside in, then the value. */
export function messageTree(message: Uint8Array, shape: MessageShape): string[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return [
    `type = ${view.getUint16(4, true)}`,
    `flags = 0x${view.getUint16(6, true).toString(16)}`,
    `header = ${toHex(message.subarray(16, 16 + shape.header))}`,
    ...attributeLines(message.subarray(16 + shape.header), shape.inside, "").sort(),
  ];
}

function attributeLines(bytes: Uint8Array, shape: Shape, path: string): string[] {
  const lines: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true) & 0x3fff;
    const value = bytes.subarray(at + 4, at + length);
    const form = shape[type];
    if (form === undefined) lines.push(`${path}${type} = ${toHex(value)}`);
    else if (form === "text") lines.push(`${path}${type} = ${JSON.stringify(textOf(value))}`);
    else {
      if (form.header > 0) {
        lines.push(`${path}${type} = ${toHex(value.subarray(0, form.header))}`);
      }
      lines.push(...attributeLines(value.subarray(form.header), form.inside, `${path}${type}/`));
    }
    at += Math.ceil(length / 4) * 4;
  }
  return lines;
}

function textOf(value: Uint8Array): string {
  return new TextDecoder().decode(value).replace(/\0$/, "");
}

export interface Difference {
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** The lines that only one of the two has. */
export function difference(ours: Request, theirs: Uint8Array, shape: MessageShape): Difference {
  const mine = messageTree(encodeMessages([ours], 1), shape);
  const other = messageTree(theirs, shape);
  return {
    ours: mine.filter((line) => !other.includes(line)),
    theirs: other.filter((line) => !mine.includes(line)),
  };
}

export const NO_DIFFERENCE: Difference = { ours: [], theirs: [] };
