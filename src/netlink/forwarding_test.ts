import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { difference, NEIGHBOUR, NO_DIFFERENCE } from "../../tests/support/netlink_tree.ts";
import {
  appendForwarding,
  decodeForwarding,
  deleteForwarding,
  dumpForwarding,
  forgetForwarding,
} from "./forwarding.ts";
import { UNKNOWN_MAC } from "../base/mac.ts";
import { decodeMessages, encodeMessages } from "./wire/message.ts";

const APPEND = appendForwarding(2, { mac: UNKNOWN_MAC, dst: "2001:db8::a" });

const APPEND_BYTES = hex(`
  3c 00 00 00  1c 00  05 0c  01 00 00 00  00 00 00 00           # nlmsghdr: length 60; RTM_NEWNEIGH; REQUEST|ACK|CREATE|APPEND; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  00                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a  # NDA_DST 2001:db8::a
`);

// bridge fdb append 00:00:00:00:00:00 dev vx222 dst 2001:db8::a self permanent
const IPROUTE2_APPEND = hex(`
  3c 00 00 00  1c 00  05 0c  ea 85 04 6b  00 00 00 00           # nlmsghdr: length 60; RTM_NEWNEIGH; REQUEST|ACK|CREATE|APPEND; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  00                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a  # NDA_DST 2001:db8::a
`);

const DELETE_BYTES = hex(`
  3c 00 00 00  1d 00  05 00  01 00 00 00  00 00 00 00           # nlmsghdr: length 60; RTM_DELNEIGH; REQUEST|ACK; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  00                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a  # NDA_DST 2001:db8::a
`);

// bridge fdb del 00:00:00:00:00:00 dev vx222 dst 2001:db8::a self
const IPROUTE2_DELETE = hex(`
  3c 00 00 00  1d 00  05 00  ea 85 04 6b  00 00 00 00           # nlmsghdr: length 60; RTM_DELNEIGH; REQUEST|ACK; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  00                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a  # NDA_DST 2001:db8::a
`);

const DUMP_BYTES = hex(`
  1c 00 00 00  1e 00  01 03  01 00 00 00  00 00 00 00  # nlmsghdr: length 28; RTM_GETNEIGH; REQUEST|DUMP; sequence; port
  07 00 00 00  00 00 00 00  00 00  00  00              # ndmsg: family 7; index 0; state 0x0; flags 0x0; type 0
`);

// What the kernel answered to `bridge fdb show`: two entries of a VXLAN with group ff02::14, one
// of a veth that is a port, one of the bridge.
const REPLY = hex(`
  60 00 00 00  1c 00  02 00  ea 85 04 6b  01 26 00 00           # nlmsghdr: length 96; RTM_NEWNEIGH; MULTI; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  01                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 1
  08 00 0a 00  00 00 00 00                                      # NDA_LINK_NETNSID 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 14  # NDA_DST ff02::14
  08 00 08 00  07 00 00 00                                      # NDA_IFINDEX 7
  14 00 03 00  00 00 00 00 1c 00 00 00 04 00 00 00 00 00 00 00  # NDA_CACHEINFO
  58 00 00 00  1c 00  02 00  ea 85 04 6b  01 26 00 00           # nlmsghdr: length 88; RTM_NEWNEIGH; MULTI; sequence; port
  07 00 00 00  02 00 00 00  c0 00  02  01                       # ndmsg: family 7; index 2; state 0xc0; flags 0x2; type 1
  08 00 0a 00  00 00 00 00                                      # NDA_LINK_NETNSID 0
  0a 00 02 00  00 00 00 00 00 00 00 00                          # NDA_LLADDR 00:00:00:00:00:00
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a  # NDA_DST 2001:db8::a
  14 00 03 00  00 00 00 00 1c 00 00 00 04 00 00 00 00 00 00 00  # NDA_CACHEINFO
  28 00 00 00  1c 00  02 00  ea 85 04 6b  01 26 00 00           # nlmsghdr: length 40; RTM_NEWNEIGH; MULTI; sequence; port
  07 00 00 00  03 00 00 00  80 00  02  00                       # ndmsg: family 7; index 3; state 0x80; flags 0x2; type 0
  0a 00 02 00  33 33 00 00 00 01 00 00                          # NDA_LLADDR 33:33:00:00:00:01
  28 00 00 00  1c 00  02 00  ea 85 04 6b  01 26 00 00           # nlmsghdr: length 40; RTM_NEWNEIGH; MULTI; sequence; port
  07 00 00 00  04 00 00 00  80 00  02  00                       # ndmsg: family 7; index 4; state 0x80; flags 0x2; type 0
  0a 00 02 00  33 33 00 00 00 01 00 00                          # NDA_LLADDR 33:33:00:00:00:01
`);

Deno.test("appendForwarding() keeps its bytes and says what `bridge fdb append` says", () => {
  assert.deepEqual(encodeMessages([APPEND], 1), APPEND_BYTES);
  assert.deepEqual(difference(APPEND, IPROUTE2_APPEND, NEIGHBOUR), NO_DIFFERENCE);
});

Deno.test("deleteForwarding() keeps its bytes and says what `bridge fdb del` says", () => {
  const request = deleteForwarding(2, { mac: UNKNOWN_MAC, dst: "2001:db8::a" });
  assert.deepEqual(encodeMessages([request], 1), DELETE_BYTES);
  assert.deepEqual(difference(request, IPROUTE2_DELETE, NEIGHBOUR), NO_DIFFERENCE);
});

const FORGET = [
  ["self", "02"],
  ["master", "04"],
] as const;
for (const [table, flag] of FORGET) {
  Deno.test(`forgetForwarding() says what \`bridge fdb del … ${table}\` says`, () => {
    const request = forgetForwarding(2, "02:00:00:00:01:00", table);
    assert.deepEqual(
      request.payload,
      hex(`
        07 00 00 00  02 00 00 00  00 00  ${flag}  00  # ndmsg: family 7; index 2; no state; flags
        0a 00 02 00  02 00 00 00 01 00 00 00          # NDA_LLADDR
      `),
    );
    assert.deepEqual([request.type, request.flags], [29, 5]);
  });
}

Deno.test("appendForwarding() names the device that leads to a link-local peer", () => {
  const { payload } = appendForwarding(2, { mac: UNKNOWN_MAC, dst: "fe80::a", via: 7 });
  assert.deepEqual(decodeForwarding(payload), {
    ...{ index: 2, mac: UNKNOWN_MAC, dst: "fe80::a", via: 7, permanent: true, self: true },
  });
});

Deno.test("dumpForwarding() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([dumpForwarding()], 1), DUMP_BYTES);
});

Deno.test("decodeForwarding() reads a table as the kernel reports it", () => {
  const decoded = [...decodeMessages(REPLY)].map(({ payload }) => decodeForwarding(payload));
  assert.deepEqual(decoded, [
    { index: 2, mac: UNKNOWN_MAC, dst: "ff02::14", via: 7, permanent: true, self: true },
    { index: 2, mac: UNKNOWN_MAC, dst: "2001:db8::a", permanent: true, self: true },
    { index: 3, mac: "33:33:00:00:00:01", permanent: true, self: true },
    { index: 4, mac: "33:33:00:00:00:01", permanent: true, self: true },
  ]);
});

Deno.test("decodeForwarding() tells learned entries and those of the bridge", () => {
  // ndmsg of link 3 with state NUD_REACHABLE and flag NTF_MASTER, then NDA_LLADDR.
  const payload = hex(`
    07 00 00 00  03 00 00 00  02 00  04  00
    0a 00 02 00  02 00 00 00 00 01 00 00
  `);
  assert.deepEqual(decodeForwarding(payload), {
    index: 3,
    mac: "02:00:00:00:00:01",
    permanent: false,
    self: false,
  });
});
