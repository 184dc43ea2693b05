import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { difference, LINK, NO_DIFFERENCE } from "../../../tests/support/netlink_tree.ts";
import { decodeLink } from "../link_info.ts";
import { changeBridge, createLink } from "../link_request.ts";
import reply from "../testdata/bridge.hex" with { type: "text" };
import { decodeMessages, encodeMessages } from "../wire/message.ts";
import type { BridgeAttrs } from "./bridge.ts";

const ATTRS: BridgeAttrs = {
  kind: "bridge",
  stp: false,
  multicastSnooping: false,
  ageingSeconds: 300,
};

const CREATE = createLink({
  name: "lan222",
  mtu: 1426,
  address: "02:00:00:00:02:01",
  attrs: ATTRS,
});

const CREATE_BYTES = hex(`
  6c 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 108; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  0b 00 03 00  6c 61 6e 32 32 32 00 00                 # IFLA_IFNAME "lan222"
  08 00 04 00  92 05 00 00                             # IFLA_MTU 1426
  0a 00 01 00  02 00 00 00 02 01 00 00                 # IFLA_ADDRESS 02:00:00:00:02:01
  2c 00 12 80                                          # IFLA_LINKINFO
    0b 00 01 00  62 72 69 64 67 65 00 00               # IFLA_INFO_KIND "bridge"
    1c 00 02 80                                        # IFLA_INFO_DATA
      08 00 04 00  30 75 00 00                         # IFLA_BR_AGEING_TIME 30000
      08 00 05 00  00 00 00 00                         # IFLA_BR_STP_STATE 0
      05 00 17 00  00 00 00 00                         # IFLA_BR_MCAST_SNOOPING 0
`);

// ip link add lan222 mtu 1426 address 02:00:00:00:02:01 type bridge ageing_time 30000 stp_state 0
// mcast_snooping 0
const IPROUTE2_CREATE = hex(`
  6c 00 00 00  10 00  05 06  e8 85 04 6b  00 00 00 00  # nlmsghdr: length 108; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  08 00 04 00  92 05 00 00                             # IFLA_MTU 1426
  0a 00 01 00  02 00 00 00 02 01 00 00                 # IFLA_ADDRESS 02:00:00:00:02:01
  0b 00 03 00  6c 61 6e 32 32 32 00 00                 # IFLA_IFNAME "lan222"
  2c 00 12 00                                          # IFLA_LINKINFO
    0a 00 01 00  62 72 69 64 67 65 00 00               # IFLA_INFO_KIND "bridge"
    1c 00 02 00                                        # IFLA_INFO_DATA
      08 00 04 00  30 75 00 00                         # IFLA_BR_AGEING_TIME 30000
      08 00 05 00  00 00 00 00                         # IFLA_BR_STP_STATE 0
      05 00 17 00  00 00 00 00                         # IFLA_BR_MCAST_SNOOPING 0
`);

// ip link set lan222 type bridge ageing_time 30000 stp_state 0 mcast_snooping 0
const IPROUTE2_CHANGE = hex(`
  4c 00 00 00  10 00  05 00  e8 85 04 6b  00 00 00 00  # nlmsghdr: length 76; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
  2c 00 12 00                                          # IFLA_LINKINFO
    0a 00 01 00  62 72 69 64 67 65 00 00               # IFLA_INFO_KIND "bridge"
    1c 00 02 00                                        # IFLA_INFO_DATA
      08 00 04 00  30 75 00 00                         # IFLA_BR_AGEING_TIME 30000
      08 00 05 00  00 00 00 00                         # IFLA_BR_STP_STATE 0
      05 00 17 00  00 00 00 00                         # IFLA_BR_MCAST_SNOOPING 0
`);

Deno.test("createLink() of a bridge keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CREATE], 1), CREATE_BYTES);
});

Deno.test("createLink() of a bridge says what `ip link add type bridge` says", () => {
  assert.deepEqual(difference(CREATE, IPROUTE2_CREATE, LINK), NO_DIFFERENCE);
});

Deno.test("changeBridge() says what `ip link set type bridge` says", () => {
  assert.deepEqual(
    difference(changeBridge({ index: 3 }, ATTRS), IPROUTE2_CHANGE, LINK),
    NO_DIFFERENCE,
  );
});

Deno.test("createLink() of a bridge encodes the other setting of each switch", () => {
  const other = createLink({
    name: "lan222",
    attrs: { kind: "bridge", stp: true, multicastSnooping: true, ageingSeconds: 10 },
  });
  const decoded = decodeLink(other.payload);
  assert.deepEqual(decoded.attrs, {
    kind: "bridge",
    stp: true,
    multicastSnooping: true,
    ageingSeconds: 10,
  });
});

Deno.test("decodeLink() reads a bridge as the kernel reports it", () => {
  const [message] = [...decodeMessages(hex(reply))];
  assert.deepEqual(decodeLink(message!.payload), {
    index: 3,
    name: "lan222",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 1426,
    address: "02:00:00:00:02:01",
    attrs: ATTRS,
  });
});
