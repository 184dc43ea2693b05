import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { difference, LINK, NO_DIFFERENCE } from "../../../tests/support/netlink_tree.ts";
import { decodeLink } from "../link_info.ts";
import { createLink } from "../link_request.ts";
import reply from "../testdata/vxlan.hex" with { type: "text" };
import { decodeMessages, encodeMessages } from "../wire/message.ts";
import { decodeVxlan, type VxlanAttrs } from "./vxlan.ts";

const ATTRS: VxlanAttrs = {
  kind: "vxlan",
  vni: 222,
  group: "ff02::14",
  underlayIndex: 7,
  port: 4789,
  hopLimit: 1,
  learning: true,
  ageingSeconds: 300,
};

const CREATE = createLink({
  name: "vx222",
  mtu: 1426,
  address: "02:00:00:00:03:01",
  netnsFd: 4,
  attrs: ATTRS,
});

const CREATE_BYTES = hex(`
  a0 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00  # nlmsghdr: length 160; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  0a 00 03 00  76 78 32 32 32 00 00 00                 # IFLA_IFNAME "vx222"
  08 00 04 00  92 05 00 00                             # IFLA_MTU 1426
  0a 00 01 00  02 00 00 00 03 01 00 00                 # IFLA_ADDRESS 02:00:00:00:03:01
  08 00 1c 00  04 00 00 00                             # IFLA_NET_NS_FD 4
  58 00 12 80                                          # IFLA_LINKINFO
    0a 00 01 00  76 78 6c 61 6e 00 00 00               # IFLA_INFO_KIND "vxlan"
    48 00 02 80                                        # IFLA_INFO_DATA
      08 00 01 00  de 00 00 00                         # IFLA_VXLAN_ID 222
      14 00 10 00  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 14  # IFLA_VXLAN_GROUP6 ff02::14
      08 00 03 00  07 00 00 00                         # IFLA_VXLAN_LINK 7
      05 00 05 00  01 00 00 00                         # IFLA_VXLAN_TTL 1
      05 00 07 00  01 00 00 00                         # IFLA_VXLAN_LEARNING 1
      08 00 08 00  2c 01 00 00                         # IFLA_VXLAN_AGEING 300
      06 00 0f 00  12 b5 00 00                         # IFLA_VXLAN_PORT 4789
`);

// ip link add vx222 mtu 1426 address 02:00:00:00:03:01 netns lan type vxlan id 222 group ff02::14
// dev eth1 dstport 4789 ttl 1 learning ageing 300
const IPROUTE2_CREATE = hex(`
  a0 00 00 00  10 00  05 06  e8 85 04 6b  00 00 00 00  # nlmsghdr: length 160; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  08 00 04 00  92 05 00 00                             # IFLA_MTU 1426
  0a 00 01 00  02 00 00 00 03 01 00 00                 # IFLA_ADDRESS 02:00:00:00:03:01
  08 00 1c 00  04 00 00 00                             # IFLA_NET_NS_FD 4
  0a 00 03 00  76 78 32 32 32 00 00 00                 # IFLA_IFNAME "vx222"
  58 00 12 00                                          # IFLA_LINKINFO
    09 00 01 00  76 78 6c 61 6e 00 00 00               # IFLA_INFO_KIND "vxlan"
    48 00 02 00                                        # IFLA_INFO_DATA
      08 00 03 00  07 00 00 00                         # IFLA_VXLAN_LINK 7
      05 00 05 00  01 00 00 00                         # IFLA_VXLAN_TTL 1
      08 00 08 00  2c 01 00 00                         # IFLA_VXLAN_AGEING 300
      08 00 01 00  de 00 00 00                         # IFLA_VXLAN_ID 222
      14 00 10 00  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 14  # IFLA_VXLAN_GROUP6 ff02::14
      05 00 07 00  01 00 00 00                         # IFLA_VXLAN_LEARNING 1
      06 00 0f 00  12 b5 00 00                         # IFLA_VXLAN_PORT 4789
`);

Deno.test("createLink() of a VXLAN keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CREATE], 1), CREATE_BYTES);
});

Deno.test("createLink() of a VXLAN says what `ip link add type vxlan` says", () => {
  assert.deepEqual(difference(CREATE, IPROUTE2_CREATE, LINK), NO_DIFFERENCE);
});

Deno.test("createLink() of a VXLAN leaves out group and underlay that are not given", () => {
  const attrs: VxlanAttrs = {
    kind: "vxlan",
    vni: 0xffffff,
    port: 65535,
    hopLimit: 255,
    learning: false,
    ageingSeconds: 0,
  };
  assert.deepEqual(decodeLink(createLink({ name: "vx", attrs }).payload).attrs, attrs);
});

Deno.test("decodeLink() reads a VXLAN whose underlay is in another namespace", () => {
  const [message] = [...decodeMessages(hex(reply))];
  assert.deepEqual(decodeLink(message!.payload), {
    index: 2,
    name: "vx222",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 1426,
    address: "02:00:00:00:03:01",
    // Its own index: the kernel has no lower link for it and names the one it was born beside.
    link: 2,
    linkNetnsId: 0,
    attrs: ATTRS,
  });
});

Deno.test("decodeVxlan() reads an IPv4 group and no learning", () => {
  // ip link add vx4 type vxlan id 44 group 239.0.0.44 dev eth1 dstport 4789 nolearning
  const data = hex(`
  08 00 01 00  2c 00 00 00              # IFLA_VXLAN_ID 44
  08 00 02 00  ef 00 00 2c              # IFLA_VXLAN_GROUP 239.0.0.44
  08 00 03 00  07 00 00 00              # IFLA_VXLAN_LINK 7
  05 00 05 00  00 00 00 00              # IFLA_VXLAN_TTL 0
  05 00 1c 00  00 00 00 00              # IFLA_VXLAN_TTL_INHERIT 0
  05 00 06 00  00 00 00 00              # IFLA_VXLAN_TOS 0
  05 00 1d 00  00 00 00 00              # IFLA_VXLAN_DF 0
  08 00 1a 00  00 00 00 00              # IFLA_VXLAN_LABEL 0
  08 00 20 00  00 00 00 00              # IFLA_VXLAN_LABEL_POLICY 0
  05 00 07 00  00 00 00 00              # IFLA_VXLAN_LEARNING 0
  05 00 0b 00  00 00 00 00              # IFLA_VXLAN_PROXY 0
  05 00 0c 00  00 00 00 00              # IFLA_VXLAN_RSC 0
  05 00 0d 00  00 00 00 00              # IFLA_VXLAN_L2MISS 0
  05 00 0e 00  00 00 00 00              # IFLA_VXLAN_L3MISS 0
  05 00 19 00  00 00 00 00              # IFLA_VXLAN_COLLECT_METADATA 0
  08 00 08 00  2c 01 00 00              # IFLA_VXLAN_AGEING 300
  08 00 09 00  00 00 00 00              # IFLA_VXLAN_LIMIT 0
  06 00 0f 00  12 b5 00 00              # IFLA_VXLAN_PORT 4789
  05 00 12 00  01 00 00 00              # IFLA_VXLAN_UDP_CSUM 1
  05 00 13 00  00 00 00 00              # IFLA_VXLAN_UDP_ZERO_CSUM6_TX 0
  05 00 14 00  00 00 00 00              # IFLA_VXLAN_UDP_ZERO_CSUM6_RX 0
  05 00 15 00  00 00 00 00              # IFLA_VXLAN_REMCSUM_TX 0
  05 00 16 00  00 00 00 00              # IFLA_VXLAN_REMCSUM_RX 0
  05 00 1f 00  01 00 00 00              # IFLA_VXLAN_LOCALBYPASS 1
  08 00 0a 00  00 00 00 00              # IFLA_VXLAN_PORT_RANGE 0
  0c 00 21 00  f7 ff ff ff 00 00 00 ff  # IFLA_VXLAN_RESERVED_BITS
  `);
  assert.deepEqual(decodeVxlan(data), {
    kind: "vxlan",
    vni: 44,
    group: "239.0.0.44",
    underlayIndex: 7,
    port: 4789,
    hopLimit: 0,
    learning: false,
    ageingSeconds: 300,
  });
});

Deno.test("decodeVxlan() tells a device that takes every VNI of its port", () => {
  // ip link add vxe type vxlan external dstport 14789
  const data = hex(`
  08 00 01 00  00 00 00 00              # IFLA_VXLAN_ID 0
  05 00 05 00  00 00 00 00              # IFLA_VXLAN_TTL 0
  05 00 1c 00  00 00 00 00              # IFLA_VXLAN_TTL_INHERIT 0
  05 00 06 00  00 00 00 00              # IFLA_VXLAN_TOS 0
  05 00 1d 00  00 00 00 00              # IFLA_VXLAN_DF 0
  08 00 1a 00  00 00 00 00              # IFLA_VXLAN_LABEL 0
  08 00 20 00  00 00 00 00              # IFLA_VXLAN_LABEL_POLICY 0
  05 00 07 00  00 00 00 00              # IFLA_VXLAN_LEARNING 0
  05 00 0b 00  00 00 00 00              # IFLA_VXLAN_PROXY 0
  05 00 0c 00  00 00 00 00              # IFLA_VXLAN_RSC 0
  05 00 0d 00  00 00 00 00              # IFLA_VXLAN_L2MISS 0
  05 00 0e 00  00 00 00 00              # IFLA_VXLAN_L3MISS 0
  05 00 19 00  01 00 00 00              # IFLA_VXLAN_COLLECT_METADATA 1
  08 00 08 00  2c 01 00 00              # IFLA_VXLAN_AGEING 300
  08 00 09 00  00 00 00 00              # IFLA_VXLAN_LIMIT 0
  06 00 0f 00  39 c5 00 00              # IFLA_VXLAN_PORT 14789
  05 00 12 00  01 00 00 00              # IFLA_VXLAN_UDP_CSUM 1
  05 00 13 00  00 00 00 00              # IFLA_VXLAN_UDP_ZERO_CSUM6_TX 0
  05 00 14 00  00 00 00 00              # IFLA_VXLAN_UDP_ZERO_CSUM6_RX 0
  05 00 15 00  00 00 00 00              # IFLA_VXLAN_REMCSUM_TX 0
  05 00 16 00  00 00 00 00              # IFLA_VXLAN_REMCSUM_RX 0
  05 00 1f 00  01 00 00 00              # IFLA_VXLAN_LOCALBYPASS 1
  08 00 0a 00  00 00 00 00              # IFLA_VXLAN_PORT_RANGE 0
  0c 00 21 00  f7 ff ff ff 00 00 00 ff  # IFLA_VXLAN_RESERVED_BITS
  `);
  assert.deepEqual(decodeVxlan(data), {
    kind: "vxlan",
    vni: 0,
    port: 14789,
    hopLimit: 0,
    learning: false,
    ageingSeconds: 300,
    external: true,
    alone: true,
  });
});
