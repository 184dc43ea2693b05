/** Decoders of what the kernel sends: no bytes make them throw, hang or give values out of range. */

import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { randomBytes, randomInts } from "../../tests/support/random.ts";
import { decodeAddress } from "./address.ts";
import { decodeForwarding } from "./forwarding.ts";
import { decodeLink } from "./link_info.ts";
import { decodeNamespaceId } from "./namespace_id.ts";
import bridge from "./testdata/bridge.hex" with { type: "text" };
import bridgePort from "./testdata/bridge_port.hex" with { type: "text" };
import macvtap from "./testdata/macvtap.hex" with { type: "text" };
import veth from "./testdata/veth.hex" with { type: "text" };
import vxlan from "./testdata/vxlan.hex" with { type: "text" };
import { readAttrs } from "./wire/attrs.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR } from "./wire/constants.ts";
import { decodeAcknowledgement, decodeMessages } from "./wire/message.ts";

const ROUNDS = 10_000;
const REPLIES = [bridge, bridgePort, macvtap, veth, vxlan].map(hex);

const PAYLOAD_DECODERS = [decodeLink, decodeAddress, decodeForwarding, decodeNamespaceId];

/** Puts `bytes` through every decoder. */
function decodeAll(bytes: Uint8Array): void {
  const attrs = [...readAttrs(bytes)];
  assert.ok(attrs.length <= bytes.length / 4);
  assert.ok(attrs.reduce((sum, { value }) => sum + value.length + 4, 0) <= bytes.length);
  const messages = [...decodeMessages(bytes)];
  assert.ok(messages.length <= bytes.length / 16);
  for (const payload of [bytes, ...messages.map((message) => message.payload)]) {
    for (const decode of PAYLOAD_DECODERS) decode(payload);
    for (const type of [NLMSG_ERROR, NLMSG_DONE]) {
      for (const flags of [0, NLM_F_ACK_TLVS, NLM_F_ACK_TLVS | NLM_F_CAPPED]) {
        const ack = decodeAcknowledgement({ type, flags, sequence: 0, payload });
        assert.ok(Number.isInteger(ack.errno) && !Object.is(ack.errno, -0));
      }
    }
  }
}

Deno.test("decoders take random bytes of any length", () => {
  for (let seed = 0; seed < ROUNDS; seed++) {
    const random = randomInts(seed);
    const bytes = randomBytes(random, random(120));
    // Half of them with lengths that fit here and there, to come further in.
    if (seed % 2 === 0) {
      for (let at = 0; at + 4 <= bytes.length; at += 4) {
        if (random(2) === 0) bytes.set([4 + random(16), 0, random(64), 0], at);
      }
    }
    decodeAll(bytes);
  }
});

Deno.test("decoders take replies that are cut short anywhere", () => {
  for (const reply of REPLIES) {
    for (let length = 0; length < reply.length; length++) {
      const part = reply.subarray(0, length);
      assert.deepEqual([...decodeMessages(part)], []);
      // As if the message ended there.
      for (const decode of PAYLOAD_DECODERS) decode(part.subarray(16));
    }
  }
});

Deno.test("decoders take replies with bytes changed", () => {
  for (let seed = 0; seed < ROUNDS / 5; seed++) {
    const random = randomInts(seed);
    const reply = REPLIES[random(REPLIES.length)]!.slice();
    for (let count = 1 + random(8); count > 0; count--) reply[random(reply.length)] = random(256);
    decodeAll(reply);
  }
});

Deno.test("decodeLink() of an empty payload is a link without name", () => {
  assert.deepEqual(decodeLink(new Uint8Array()), {
    index: 0,
    name: "",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 0,
    address: "",
    attrs: { kind: "other", name: "" },
  });
});
