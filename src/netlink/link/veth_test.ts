import assert from "node:assert/strict";
import { hex } from "../../../tests/support/hex.ts";
import { difference, NO_DIFFERENCE, VETH } from "../../../tests/support/netlink_tree.ts";
import { decodeLink } from "../link_info.ts";
import { createLink } from "../link_request.ts";
import reply from "../testdata/veth.hex" with { type: "text" };
import { decodeMessages, encodeMessages } from "../wire/message.ts";

const CREATE = createLink({
  name: "pod1",
  mtu: 1426,
  address: "02:00:00:00:04:01",
  queues: 1,
  up: true,
  attrs: {
    kind: "veth",
    peer: { name: "pod1.b", mtu: 1426, address: "02:00:00:00:04:02", queues: 1, netnsFd: 4 },
  },
});

const CREATE_BYTES = hex(`
  b0 00 00 00  10 00  05 06  01 00 00 00  00 00 00 00       # nlmsghdr: length 176; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  01 00 00 00  01 00 00 00        # ifinfomsg: family 0, type 0; index 0; flags 0x1; change 0x1
  09 00 03 00  70 6f 64 31 00 00 00 00                      # IFLA_IFNAME "pod1"
  08 00 04 00  92 05 00 00                                  # IFLA_MTU 1426
  0a 00 01 00  02 00 00 00 04 01 00 00                      # IFLA_ADDRESS 02:00:00:00:04:01
  08 00 1f 00  01 00 00 00                                  # IFLA_NUM_TX_QUEUES 1
  08 00 20 00  01 00 00 00                                  # IFLA_NUM_RX_QUEUES 1
  60 00 12 80                                               # IFLA_LINKINFO
    09 00 01 00  76 65 74 68 00 00 00 00                    # IFLA_INFO_KIND "veth"
    50 00 02 80                                             # IFLA_INFO_DATA
      4c 00 01 80                                           # VETH_INFO_PEER
        00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00  # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
        0b 00 03 00  70 6f 64 31 2e 62 00 00                # IFLA_IFNAME "pod1.b"
        08 00 04 00  92 05 00 00                            # IFLA_MTU 1426
        0a 00 01 00  02 00 00 00 04 02 00 00                # IFLA_ADDRESS 02:00:00:00:04:02
        08 00 1f 00  01 00 00 00                            # IFLA_NUM_TX_QUEUES 1
        08 00 20 00  01 00 00 00                            # IFLA_NUM_RX_QUEUES 1
        08 00 1c 00  04 00 00 00                            # IFLA_NET_NS_FD 4
`);

// ip link add pod1 address 02:00:00:00:04:01 mtu 1426 numtxqueues 1 numrxqueues 1 up type veth
// peer name pod1.b address 02:00:00:00:04:02 mtu 1426 numtxqueues 1 numrxqueues 1 netns lan
const IPROUTE2_CREATE = hex(`
  ac 00 00 00  10 00  05 06  e8 85 04 6b  00 00 00 00       # nlmsghdr: length 172; RTM_NEWLINK; REQUEST|ACK|EXCL|CREATE; sequence; port
  00 00 00 00  00 00 00 00  01 00 00 00  01 00 00 00        # ifinfomsg: family 0, type 0; index 0; flags 0x1; change 0x1
  0a 00 01 00  02 00 00 00 04 01 00 00                      # IFLA_ADDRESS 02:00:00:00:04:01
  08 00 04 00  92 05 00 00                                  # IFLA_MTU 1426
  08 00 1f 00  01 00 00 00                                  # IFLA_NUM_TX_QUEUES 1
  08 00 20 00  01 00 00 00                                  # IFLA_NUM_RX_QUEUES 1
  09 00 03 00  70 6f 64 31 00 00 00 00                      # IFLA_IFNAME "pod1"
  5c 00 12 00                                               # IFLA_LINKINFO
    08 00 01 00  76 65 74 68                                # IFLA_INFO_KIND "veth"
    50 00 02 00                                             # IFLA_INFO_DATA
      4c 00 01 00                                           # VETH_INFO_PEER
        00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00  # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
        0a 00 01 00  02 00 00 00 04 02 00 00                # IFLA_ADDRESS 02:00:00:00:04:02
        08 00 04 00  92 05 00 00                            # IFLA_MTU 1426
        08 00 1f 00  01 00 00 00                            # IFLA_NUM_TX_QUEUES 1
        08 00 20 00  01 00 00 00                            # IFLA_NUM_RX_QUEUES 1
        08 00 1c 00  04 00 00 00                            # IFLA_NET_NS_FD 4
        0b 00 03 00  70 6f 64 31 2e 62 00 00                # IFLA_IFNAME "pod1.b"
`);

Deno.test("createLink() of a veth pair keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CREATE], 1), CREATE_BYTES);
});

Deno.test("createLink() of a veth pair says what `ip link add type veth` says", () => {
  assert.deepEqual(difference(CREATE, IPROUTE2_CREATE, VETH), NO_DIFFERENCE);
});

Deno.test("decodeLink() reads a veth with alias and flags as the kernel reports it", () => {
  const [message] = [...decodeMessages(hex(reply))];
  assert.deepEqual(decodeLink(message!.payload), {
    index: 4,
    name: "pod1",
    up: true,
    running: false,
    arp: false,
    allMulticast: true,
    mtu: 1400,
    address: "02:00:00:00:04:03",
    alias: "k8slan spoke",
    link: 3,
    linkNetnsId: 0,
    attrs: { kind: "veth" },
  });
});
