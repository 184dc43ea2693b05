import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { difference, LINK } from "../../../tests/support/netlink_tree.ts";
import { decodeLink } from "../link_info.ts";
import { changeBridgePort } from "../link_request.ts";
import reply from "../testdata/bridge_port.hex" with { type: "text" };
import { decodeMessages, encodeMessages } from "../wire/message.ts";

const CHANGE = changeBridgePort({ index: 3 }, { groupForwardMask: 0xfffd });

const CHANGE_BYTES = hex(`
  3c 00 00 00  10 00  05 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 60; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
  1c 00 12 80                                          # IFLA_LINKINFO
    0b 00 04 00  62 72 69 64 67 65 00 00               # IFLA_INFO_SLAVE_KIND "bridge"
    0c 00 05 80                                        # IFLA_INFO_SLAVE_DATA
      06 00 1f 00  fd ff 00 00                         # IFLA_BRPORT_GROUP_FWD_MASK 0xfffd
`);

// ip link set pod1.b type bridge_slave group_fwd_mask 0xfffd
const IPROUTE2_CHANGE = hex(`
  40 00 00 00  10 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 64; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
  20 00 12 00                                          # IFLA_LINKINFO
    10 00 01 00  62 72 69 64 67 65 5f 73 6c 61 76 65   # IFLA_INFO_KIND "bridge_slave"
    0c 00 05 00                                        # IFLA_INFO_SLAVE_DATA
      06 00 1f 00  fd ff 00 00                         # IFLA_BRPORT_GROUP_FWD_MASK 0xfffd
`);

Deno.test("changeBridgePort() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CHANGE], 1), CHANGE_BYTES);
});

Deno.test("changeBridgePort() says what `ip link set type bridge_slave` says", () => {
  // The kernel takes the kind of a port's data from its bridge; either name of it will do.
  assert.deepEqual(difference(CHANGE, IPROUTE2_CHANGE, LINK), {
    ours: ['18/4 = "bridge"'],
    theirs: ['18/1 = "bridge_slave"'],
  });
});

Deno.test("decodeLink() reads a bridge port as the kernel reports it", () => {
  const [message] = [...decodeMessages(hex(reply))];
  assert.deepEqual(decodeLink(message!.payload), {
    index: 3,
    name: "pod1.b",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 1426,
    address: "02:00:00:00:04:02",
    master: 4,
    link: 4,
    linkNetnsId: 0,
    attrs: { kind: "veth" },
    port: { groupForwardMask: 0xfffd },
  });
});
