import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { difference, LINK, NO_DIFFERENCE } from "../../../tests/support/netlink_tree.ts";
import { decodeLink } from "../link_info.ts";
import { createLink } from "../link_request.ts";
import reply from "../testdata/macvtap.hex" with { type: "text" };
import { MACVLAN_MODE_PASSTHRU } from "../wire/constants.ts";
import { decodeMessages, encodeMessages } from "../wire/message.ts";

const CREATE = createLink({
  name: "net1",
  index: 1048577,
  address: "02:00:00:00:05:01",
  link: 4,
  netnsFd: 4,
  attrs: { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU },
});

const CREATE_BYTES = hex(`
  64 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 100; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  01 00 10 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 1048577; flags 0x0; change 0x0
  09 00 03 00  6e 65 74 31 00 00 00 00                 # IFLA_IFNAME "net1"
  0a 00 01 00  02 00 00 00 05 01 00 00                 # IFLA_ADDRESS 02:00:00:00:05:01
  08 00 05 00  04 00 00 00                             # IFLA_LINK 4
  08 00 1c 00  04 00 00 00                             # IFLA_NET_NS_FD 4
  1c 00 12 80                                          # IFLA_LINKINFO
    0c 00 01 00  6d 61 63 76 74 61 70 00               # IFLA_INFO_KIND "macvtap"
    0c 00 02 80                                        # IFLA_INFO_DATA
      08 00 01 00  08 00 00 00                         # IFLA_MACVLAN_MODE 8
`);

// ip link add link pod1 name net1 index 1048577 address 02:00:00:00:05:01 netns pod
// type macvtap mode passthru
const IPROUTE2_CREATE = hex(`
  64 00 00 00  10 00  05 06  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 100; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  01 00 10 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 1048577; flags 0x0; change 0x0
  0a 00 01 00  02 00 00 00 05 01 00 00                 # IFLA_ADDRESS 02:00:00:00:05:01
  08 00 1c 00  04 00 00 00                             # IFLA_NET_NS_FD 4
  08 00 05 00  04 00 00 00                             # IFLA_LINK 4
  09 00 03 00  6e 65 74 31 00 00 00 00                 # IFLA_IFNAME "net1"
  1c 00 12 00                                          # IFLA_LINKINFO
    0b 00 01 00  6d 61 63 76 74 61 70 00               # IFLA_INFO_KIND "macvtap"
    0c 00 02 00                                        # IFLA_INFO_DATA
      08 00 01 00  08 00 00 00                         # IFLA_MACVLAN_MODE 8
`);

Deno.test("createLink() of a macvtap keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CREATE], 1), CREATE_BYTES);
});

Deno.test("createLink() of a macvtap asks for delivery at once, which decodeLink() reads", () => {
  const attrs = { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU, broadcastCutoff: -1 } as const;
  const bytes = encodeMessages([createLink({ name: "net1", link: 4, attrs })], 1);
  assert.deepEqual(bytes.slice(-8), hex("08 00 09 00  ff ff ff ff")); // IFLA_MACVLAN_BC_CUTOFF -1
  const [message] = [...decodeMessages(bytes)];
  assert.deepEqual(decodeLink(message!.payload).attrs, attrs);
});

Deno.test("createLink() of a macvtap says what `ip link add type macvtap` says", () => {
  assert.deepEqual(difference(CREATE, IPROUTE2_CREATE, LINK), NO_DIFFERENCE);
});

Deno.test("decodeLink() reads a macvtap whose lower link is in another namespace", () => {
  const [message] = [...decodeMessages(hex(reply))];
  assert.deepEqual(decodeLink(message!.payload), {
    index: 1048577,
    name: "net1",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 1426,
    // Not what was asked for: under passthru it takes the address of the link below.
    address: "02:00:00:00:04:01",
    link: 4,
    linkNetnsId: 0,
    attrs: { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU },
  });
});
