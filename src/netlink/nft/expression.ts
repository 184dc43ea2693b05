/**
 * What rules of nf_tables consist of, as far as ours do: each loads register 1 or tests it, counts or
 * drops. Values are hexadecimal digits, as the bytes lie in the register.
 */

import { type AttrWriter, readAttrs, readBe32, readBe64, readText } from "../wire/attrs.ts";
import {
  NF_DROP,
  NFT_LIMIT_F_INV,
  NFT_META_IIFTYPE,
  NFT_PAYLOAD_LL_HEADER,
  NFT_REG_1,
  NFT_REG_VERDICT,
  NFTA_BITWISE_DREG,
  NFTA_BITWISE_LEN,
  NFTA_BITWISE_MASK,
  NFTA_BITWISE_OP,
  NFTA_BITWISE_SREG,
  NFTA_BITWISE_XOR,
  NFTA_CMP_DATA,
  NFTA_CMP_OP,
  NFTA_CMP_SREG,
  NFTA_COUNTER_PACKETS,
  NFTA_DATA_VALUE,
  NFTA_DATA_VERDICT,
  NFTA_EXPR_DATA,
  NFTA_EXPR_NAME,
  NFTA_IMMEDIATE_DATA,
  NFTA_IMMEDIATE_DREG,
  NFTA_LIMIT_BURST,
  NFTA_LIMIT_FLAGS,
  NFTA_LIMIT_RATE,
  NFTA_LIMIT_TYPE,
  NFTA_LIMIT_UNIT,
  NFTA_LIST_ELEM,
  NFTA_META_DREG,
  NFTA_META_KEY,
  NFTA_PAYLOAD_BASE,
  NFTA_PAYLOAD_DREG,
  NFTA_PAYLOAD_LEN,
  NFTA_PAYLOAD_OFFSET,
  NFTA_VERDICT_CODE,
} from "./constants.ts";

export type Expression =
  /** Loads the device type of the receiving link. */
  | { readonly expr: "iiftype" }
  /** Loads bytes of the Ethernet header. */
  | { readonly expr: "ether"; readonly offset: number; readonly length: number }
  /** Keeps the bits of the mask. */
  | { readonly expr: "and"; readonly mask: string }
  /** Goes on if the register has this value (`op` 0) or another (`op` 1). */
  | { readonly expr: "cmp"; readonly op: number; readonly value: string }
  /** Goes on with what is more than `rate` a second, after `burst` at once. */
  | { readonly expr: "over"; readonly rate: number; readonly burst: number }
  | { readonly expr: "counter" }
  | { readonly expr: "drop" }
  /** One that this product never makes. */
  | { readonly expr: "other"; readonly name: string };

/** Appends the expression as an element of NFTA_RULE_EXPRESSIONS. */
export function encodeExpression(writer: AttrWriter, expression: Expression): void {
  writer.nested(NFTA_LIST_ELEM, () => {
    switch (expression.expr) {
      case "iiftype":
        return data(writer, "meta", () => {
          writer.be32(NFTA_META_KEY, NFT_META_IIFTYPE).be32(NFTA_META_DREG, NFT_REG_1);
        });
      case "ether":
        return data(writer, "payload", () => {
          writer.be32(NFTA_PAYLOAD_DREG, NFT_REG_1)
            .be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER)
            .be32(NFTA_PAYLOAD_OFFSET, expression.offset)
            .be32(NFTA_PAYLOAD_LEN, expression.length);
        });
      case "and": {
        const mask = Uint8Array.fromHex(expression.mask);
        return data(writer, "bitwise", () => {
          writer.be32(NFTA_BITWISE_SREG, NFT_REG_1).be32(NFTA_BITWISE_DREG, NFT_REG_1)
            .be32(NFTA_BITWISE_OP, 0).be32(NFTA_BITWISE_LEN, mask.length)
            .nested(NFTA_BITWISE_MASK, () => writer.bytes(NFTA_DATA_VALUE, mask))
            .nested(
              NFTA_BITWISE_XOR,
              () => writer.bytes(NFTA_DATA_VALUE, new Uint8Array(mask.length)),
            );
        });
      }
      case "cmp":
        return data(writer, "cmp", () => {
          writer.be32(NFTA_CMP_SREG, NFT_REG_1).be32(NFTA_CMP_OP, expression.op).nested(
            NFTA_CMP_DATA,
            () => writer.bytes(NFTA_DATA_VALUE, Uint8Array.fromHex(expression.value)),
          );
        });
      case "over":
        return data(writer, "limit", () => {
          writer.be64(NFTA_LIMIT_RATE, BigInt(expression.rate)).be64(NFTA_LIMIT_UNIT, 1n)
            .be32(NFTA_LIMIT_BURST, expression.burst).be32(NFTA_LIMIT_TYPE, 0)
            .be32(NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
        });
      case "counter":
        return data(writer, "counter", () => {});
      case "drop":
        return data(writer, "immediate", () => {
          writer.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT).nested(
            NFTA_IMMEDIATE_DATA,
            () => writer.nested(NFTA_DATA_VERDICT, () => writer.be32(NFTA_VERDICT_CODE, NF_DROP)),
          );
        });
      case "other":
        throw new TypeError(`Cannot encode expression "${expression.name}"`);
    }
  });
}

function data(writer: AttrWriter, name: string, fill: () => void): void {
  writer.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, fill);
}

/** The expressions in NFTA_RULE_EXPRESSIONS, and how many frames its counters have seen. */
export function decodeExpressions(
  list: Uint8Array,
): { readonly expressions: Expression[]; readonly packets: bigint } {
  const expressions: Expression[] = [];
  let packets = 0n;
  for (const { type, value } of readAttrs(list)) {
    if (type !== NFTA_LIST_ELEM) continue;
    const element = attrsOf(value);
    const name = readText(element.get(NFTA_EXPR_NAME) ?? new Uint8Array());
    const attrs = attrsOf(element.get(NFTA_EXPR_DATA));
    const expression = decode(name, attrs) ?? { expr: "other", name };
    if (expression.expr === "counter") packets += readBe64(attrs.get(NFTA_COUNTER_PACKETS) ?? NONE);
    expressions.push(expression);
  }
  return { expressions, packets };
}

const NONE = new Uint8Array();

type Attrs = ReadonlyMap<number, Uint8Array>;

function attrsOf(value: Uint8Array | undefined): Attrs {
  return new Map([...readAttrs(value ?? NONE)].map(({ type, value }) => [type, value]));
}

/** Undefined for one that does anything but what ours do. */
function decode(name: string, attrs: Attrs): Expression | undefined {
  const number = (type: number) => {
    const value = attrs.get(type);
    return value === undefined ? undefined : readBe32(value);
  };
  const hex = (type: number) => attrsOf(attrs.get(type)).get(NFTA_DATA_VALUE)?.toHex();
  const usesRegister = (...types: number[]) => types.every((type) => number(type) === NFT_REG_1);
  switch (name) {
    case "meta":
      return usesRegister(NFTA_META_DREG) && number(NFTA_META_KEY) === NFT_META_IIFTYPE
        ? { expr: "iiftype" }
        : undefined;
    case "payload": {
      const offset = number(NFTA_PAYLOAD_OFFSET);
      const length = number(NFTA_PAYLOAD_LEN);
      return usesRegister(NFTA_PAYLOAD_DREG) && offset !== undefined && length !== undefined &&
          number(NFTA_PAYLOAD_BASE) === NFT_PAYLOAD_LL_HEADER
        ? { expr: "ether", offset, length }
        : undefined;
    }
    case "bitwise": {
      const mask = hex(NFTA_BITWISE_MASK);
      const xor = hex(NFTA_BITWISE_XOR);
      return usesRegister(NFTA_BITWISE_SREG, NFTA_BITWISE_DREG) && mask !== undefined &&
          xor !== undefined && /^0*$/.test(xor) && (number(NFTA_BITWISE_OP) ?? 0) === 0
        ? { expr: "and", mask }
        : undefined;
    }
    case "cmp": {
      const op = number(NFTA_CMP_OP);
      const value = hex(NFTA_CMP_DATA);
      return usesRegister(NFTA_CMP_SREG) && op !== undefined && value !== undefined
        ? { expr: "cmp", op, value }
        : undefined;
    }
    case "limit": {
      const burst = number(NFTA_LIMIT_BURST) ?? 0;
      const isOver = ((number(NFTA_LIMIT_FLAGS) ?? 0) & NFT_LIMIT_F_INV) !== 0;
      const perSecond = readBe64(attrs.get(NFTA_LIMIT_UNIT) ?? NONE) === 1n;
      return isOver && perSecond && (number(NFTA_LIMIT_TYPE) ?? 0) === 0
        ? { expr: "over", rate: Number(readBe64(attrs.get(NFTA_LIMIT_RATE) ?? NONE)), burst }
        : undefined;
    }
    case "counter":
      return { expr: "counter" };
    case "immediate": {
      const verdict = attrsOf(attrsOf(attrs.get(NFTA_IMMEDIATE_DATA)).get(NFTA_DATA_VERDICT));
      const code = verdict.get(NFTA_VERDICT_CODE);
      return number(NFTA_IMMEDIATE_DREG) === NFT_REG_VERDICT && code !== undefined &&
          readBe32(code) === NF_DROP
        ? { expr: "drop" }
        : undefined;
    }
  }
}
