import assert from "node:assert/strict";
import { hex, toHex } from "../../../tests/support/hex.ts";
import { NLM_F_ACK_TLVS, NLMSG_DONE, NLMSG_ERROR } from "./constants.ts";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  decodeMessages,
  encodeMessages,
} from "./message.ts";

Deno.test("encodeMessages() puts messages behind each other, padded and numbered", () => {
  const encoded = encodeMessages([
    { type: 16, flags: 0x605, payload: Uint8Array.of(1, 2, 3, 4, 5) },
    { type: 17, flags: 5, payload: new Uint8Array() },
  ], 0xffff_ffff);
  const expected = hex(`
    15 00 00 00  10 00  05 06  ff ff ff ff  00 00 00 00
    01 02 03 04  05 00 00 00
    10 00 00 00  11 00  05 00  00 00 00 00  00 00 00 00  # the number wraps
  `);
  assert.equal(toHex(encoded), toHex(expected));
});

Deno.test("decodeMessages() takes a datagram of several messages apart", () => {
  // ip netns list-id: two ids and the end of the dump.
  const datagram = hex(`
  1c 00 00 00  58 00  02 00  e9 85 04 6b  0d 26 00 00  # nlmsghdr: length 28; RTM_NEWNSID; MULTI; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 01 00  00 00 00 00                             # NETNSA_NSID 0
  1c 00 00 00  58 00  02 00  e9 85 04 6b  0d 26 00 00  # nlmsghdr: length 28; RTM_NEWNSID; MULTI; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 01 00  01 00 00 00                             # NETNSA_NSID 1
  14 00 00 00  03 00  02 00  e9 85 04 6b  0d 26 00 00  # nlmsghdr: length 20; NLMSG_DONE; MULTI; sequence; port
  00 00 00 00                                          # error 0
  `);
  const messages = [...decodeMessages(datagram)];
  assert.deepEqual(
    messages.map(({ type, flags, sequence, payload }) => ({
      type,
      flags,
      numbered: sequence === messages[0]!.sequence,
      payload: toHex(payload),
    })),
    [
      { type: 88, flags: 2, numbered: true, payload: "000000000800010000000000" },
      { type: 88, flags: 2, numbered: true, payload: "000000000800010001000000" },
      { type: NLMSG_DONE, flags: 2, numbered: true, payload: "00000000" },
    ],
  );
});

Deno.test("decodeMessages() ends where a length does not fit", () => {
  const header = "02 00  00 00  01 00 00 00  00 00 00 00";
  const table: readonly (readonly [string, string, number])[] = [
    ["nothing", "", 0],
    ["less than a header", `10 00 00 00 ${header.slice(0, -3)}`, 0],
    ["length zero", `00 00 00 00 ${header}`, 0],
    ["length below the header", `0f 00 00 00 ${header}`, 0],
    ["length beyond the end", `14 00 00 00 ${header}`, 0],
    ["length beyond 2^31", `ff ff ff ff ${header}`, 0],
    ["good one, then half a one", `10 00 00 00 ${header}  10 00 00 00 02 00`, 1],
    ["last one without padding", `11 00 00 00 ${header} 2a`, 1],
  ];
  for (const [name, text, count] of table) {
    assert.equal([...decodeMessages(hex(text))].length, count, name);
  }
});

interface Case {
  readonly name: string;
  readonly message: string;
  readonly expected: Acknowledgement;
}

const ACKNOWLEDGEMENTS: readonly Case[] = [
  {
    name: "success",
    message: `
  24 00 00 00  02 00  00 01  01 00 00 00  29 3c 00 00    # nlmsghdr: length 36; NLMSG_ERROR; CAPPED; sequence; port
  00 00 00 00                                            # nlmsgerr: error 0; then the request it answers
    54 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 84; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
    `,
    expected: { errno: 0 },
  },
  {
    name: "failure without words",
    message: `
  24 00 00 00  02 00  00 01  01 00 00 00  29 3c 00 00    # nlmsghdr: length 36; NLMSG_ERROR; CAPPED; sequence; port
  ef ff ff ff                                            # nlmsgerr: error -17; then the request it answers
    54 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 84; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
    `,
    expected: { errno: 17 },
  },
  {
    name: "failure with words and place, to a socket with NETLINK_CAP_ACK",
    message: `
  58 00 00 00  02 00  00 03  01 00 00 00  29 3c 00 00    # nlmsghdr: length 88; NLMSG_ERROR; CAPPED|ACK_TLVS; sequence; port
  de ff ff ff                                            # nlmsgerr: error -34; then the request it answers
    64 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 100; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  29 00 01 00                                            # NLMSGERR_ATTR_MSG "VXLAN ID must be lower than 16777216"
    56 58 4c 41 4e 20 49 44 20 6d 75 73 74 20 62 65 20 6c 6f 77 65 72 20 74 68 61 6e
    20 31 36 37 37 37 32 31 36 00 00 00 00
  08 00 02 00  3c 00 00 00                               # NLMSGERR_ATTR_OFFS 60
    `,
    expected: { errno: 34, text: "VXLAN ID must be lower than 16777216", offset: 60 },
  },
  {
    name: "failure with words behind the echoed request, to iproute2",
    message: `
  b0 00 00 00  02 00  00 02  e9 85 04 6b  fc 25 00 00    # nlmsghdr: length 176; NLMSG_ERROR; ACK_TLVS; sequence; port
  ef ff ff ff                                            # nlmsgerr: error -17; then the request it answers
    60 00 00 00  10 00  05 06  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 96; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
    00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
    09 00 03 00  76 78 31 31 00 00 00 00                 # IFLA_IFNAME "vx11"
    34 00 12 00                                          # IFLA_LINKINFO
      09 00 01 00  76 78 6c 61 6e 00 00 00               # IFLA_INFO_KIND "vxlan"
      24 00 02 00                                        # IFLA_INFO_DATA
        08 00 03 00  07 00 00 00                         # IFLA_VXLAN_LINK 7
        08 00 01 00  0a 00 00 00                         # IFLA_VXLAN_ID 10
        05 00 07 00  01 00 00 00                         # IFLA_VXLAN_LEARNING 1
        06 00 0f 00  12 b5 00 00                         # IFLA_VXLAN_PORT 4789
  39 00 01 00                                            # NLMSGERR_ATTR_MSG "A VXLAN device with the specified VNI already exists"
    41 20 56 58 4c 41 4e 20 64 65 76 69 63 65 20 77 69 74 68 20 74 68 65 20 73 70 65
    63 69 66 69 65 64 20 56 4e 49 20 61 6c 72 65 61 64 79 20 65 78 69 73 74 73 00 00
    00 00
    `,
    expected: { errno: 17, text: "A VXLAN device with the specified VNI already exists" },
  },
  {
    name: "failure with the request echoed and no words, to iproute2",
    message: `
  54 00 00 00  02 00  00 00  e9 85 04 6b  ad 25 00 00    # nlmsghdr: length 84; NLMSG_ERROR; no flags; sequence; port
  ea ff ff ff                                            # nlmsgerr: error -22; then the request it answers
    40 00 00 00  10 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 64; RTM_NEWLINK; REQUEST|ACK; sequence; port
    00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
    20 00 12 00                                          # IFLA_LINKINFO
      10 00 01 00  62 72 69 64 67 65 5f 73 6c 61 76 65   # IFLA_INFO_KIND "bridge_slave"
      0c 00 05 00                                        # IFLA_INFO_SLAVE_DATA
        06 00 1f 00  ff ff 00 00                         # IFLA_BRPORT_GROUP_FWD_MASK 0xffff
    `,
    expected: { errno: 22 },
  },
];

Deno.test("decodeAcknowledgement() reads what the kernel answers", () => {
  for (const { name, message, expected } of ACKNOWLEDGEMENTS) {
    const [decoded] = [...decodeMessages(hex(message))];
    assert.equal(decoded!.type, NLMSG_ERROR, name);
    assert.deepEqual(decodeAcknowledgement(decoded!), expected, name);
  }
});

Deno.test("decodeAcknowledgement() reads the words at the end of a dump", () => {
  const payload = hex("ea ff ff ff  09 00 01 00 6e 6f 70 65 00 00 00 00");
  const done = { type: NLMSG_DONE, flags: 2 | NLM_F_ACK_TLVS, sequence: 1, payload };
  assert.deepEqual(decodeAcknowledgement(done), { errno: 22, text: "nope" });
});

Deno.test("decodeAcknowledgement() takes one that is cut short for a failure", () => {
  for (const length of [0, 1, 3]) {
    const message = { type: NLMSG_ERROR, flags: 0, sequence: 1, payload: new Uint8Array(length) };
    assert.deepEqual(decodeAcknowledgement(message), { errno: 74 });
  }
});
