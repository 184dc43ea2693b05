import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { difference, LINK, NO_DIFFERENCE } from "../../tests/support/netlink_tree.ts";
import { randomBytes, randomInts } from "../../tests/support/random.ts";
import { formatIp } from "../base/ip.ts";
import { formatMac } from "../base/mac.ts";
import { decodeLink, type InfoAttrs } from "./link_info.ts";
import {
  changeBridge,
  changeBridgePort,
  changeLink,
  createLink,
  deleteLink,
  dumpLinks,
  getLink,
} from "./link_request.ts";
import { encodeMessages } from "./wire/message.ts";

const CHANGE = changeLink({ index: 4 }, {
  up: true,
  arp: false,
  allMulticast: true,
  mtu: 1400,
  address: "02:00:00:00:04:03",
});

const CHANGE_BYTES = hex(`
  34 00 00 00  10 00  05 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 52; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  04 00 00 00  81 02 00 00  81 02 00 00   # ifinfomsg: family 0, type 0; index 4; flags 0x281; change 0x281
  08 00 04 00  78 05 00 00                             # IFLA_MTU 1400
  0a 00 01 00  02 00 00 00 04 03 00 00                 # IFLA_ADDRESS 02:00:00:00:04:03
`);

// ip link set dev pod1 up arp off allmulticast on mtu 1400 address 02:00:00:00:04:03
const IPROUTE2_CHANGE = hex(`
  34 00 00 00  10 00  05 00  ea 85 04 6b  00 00 00 00  # nlmsghdr: length 52; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  04 00 00 00  81 02 00 00  81 02 00 00   # ifinfomsg: family 0, type 0; index 4; flags 0x281; change 0x281
  08 00 04 00  78 05 00 00                             # IFLA_MTU 1400
  0a 00 01 00  02 00 00 00 04 03 00 00                 # IFLA_ADDRESS 02:00:00:00:04:03
`);

const ALIAS_BYTES = hex(`
  30 00 00 00  10 00  05 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 48; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  04 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 4; flags 0x0; change 0x0
  10 00 14 00  6b 38 73 6c 61 6e 20 73 70 6f 6b 65     # IFLA_IFALIAS "k8slan spoke"
`);

// ip link set dev pod1 alias "k8slan spoke"
const IPROUTE2_ALIAS = hex(`
  30 00 00 00  10 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 48; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  04 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 4; flags 0x0; change 0x0
  10 00 14 00  6b 38 73 6c 61 6e 20 73 70 6f 6b 65     # IFLA_IFALIAS "k8slan spoke"
`);

// ip link set dev pod1 alias ""
const IPROUTE2_NO_ALIAS = hex(`
  24 00 00 00  10 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 36; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  04 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 4; flags 0x0; change 0x0
  04 00 14 00                                          # IFLA_IFALIAS ""
`);

// ip link set pod1.b nomaster
const IPROUTE2_NO_MASTER = hex(`
  28 00 00 00  10 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 40; RTM_NEWLINK; REQUEST|ACK; sequence; port
  00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
  08 00 0a 00  00 00 00 00                             # IFLA_MASTER 0
`);

const DELETE_BYTES = hex(`
  2c 00 00 00  11 00  05 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 44; RTM_DELLINK; REQUEST|ACK; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  09 00 03 00  70 6f 64 31 00 00 00 00                 # IFLA_IFNAME "pod1"
`);

// ip link del dev lan222
const IPROUTE2_DELETE = hex(`
  20 00 00 00  11 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 32; RTM_DELLINK; REQUEST|ACK; sequence; port
  00 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 3; flags 0x0; change 0x0
`);

const GET_BYTES = hex(`
  34 00 00 00  12 00  01 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 52; RTM_GETLINK; REQUEST; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  0b 00 03 00  6c 61 6e 32 32 32 00 00                 # IFLA_IFNAME "lan222"
  08 00 1d 00  08 00 00 00                             # IFLA_EXT_MASK 0x8
`);

// ip -d link show dev lan222
const IPROUTE2_GET = hex(`
  34 00 00 00  12 00  01 00  e8 85 04 6b  00 00 00 00  # nlmsghdr: length 52; RTM_GETLINK; REQUEST; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  08 00 1d 00  09 00 00 00                             # IFLA_EXT_MASK 0x9
  0b 00 03 00  6c 61 6e 32 32 32 00 00                 # IFLA_IFNAME "lan222"
`);

const DUMP_BYTES = hex(`
  38 00 00 00  12 00  01 03  01 00 00 00  00 00 00 00  # nlmsghdr: length 56; RTM_GETLINK; REQUEST|DUMP; sequence; port
  00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 0, type 0; index 0; flags 0x0; change 0x0
  08 00 1d 00  08 00 00 00                             # IFLA_EXT_MASK 0x8
  10 00 12 80                                          # IFLA_LINKINFO
    0a 00 01 00  76 78 6c 61 6e 00 00 00               # IFLA_INFO_KIND "vxlan"
`);

// ip -d link show type vxlan
const IPROUTE2_DUMP = hex(`
  38 00 00 00  12 00  01 03  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 56; RTM_GETLINK; REQUEST|DUMP; sequence; port
  11 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00   # ifinfomsg: family 17, type 0; index 0; flags 0x0; change 0x0
  08 00 1d 00  01 00 00 00                             # IFLA_EXT_MASK 0x1
  10 00 12 00                                          # IFLA_LINKINFO
    09 00 01 00  76 78 6c 61 6e 00 00 00               # IFLA_INFO_KIND "vxlan"
`);

Deno.test("changeLink() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([CHANGE], 1), CHANGE_BYTES);
  const alias = changeLink({ index: 4 }, { alias: "k8slan spoke" });
  assert.deepEqual(encodeMessages([alias], 1), ALIAS_BYTES);
});

Deno.test("changeLink() says what `ip link set` says", () => {
  assert.deepEqual(difference(CHANGE, IPROUTE2_CHANGE, LINK), NO_DIFFERENCE);
  const table = [
    [{ alias: "k8slan spoke" }, 4, IPROUTE2_ALIAS],
    [{ alias: "" }, 4, IPROUTE2_NO_ALIAS],
    [{ master: 0 }, 3, IPROUTE2_NO_MASTER],
  ] as const;
  for (const [change, index, theirs] of table) {
    const ours = changeLink({ index }, change);
    assert.deepEqual(difference(ours, theirs, LINK), NO_DIFFERENCE, JSON.stringify(change));
  }
});

Deno.test("changeLink() touches only the flags that are named", () => {
  const table = [
    [{}, 0, 0],
    [{ up: true }, 0x1, 0x1],
    [{ up: false }, 0, 0x1],
    [{ arp: false }, 0x80, 0x80],
    [{ arp: true }, 0, 0x80],
    [{ allMulticast: true }, 0x200, 0x200],
    [{ allMulticast: false, up: true }, 0x1, 0x201],
  ] as const;
  for (const [change, flags, mask] of table) {
    const { payload } = changeLink({ index: 4 }, change);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    assert.deepEqual(
      [view.getUint32(8, true), view.getUint32(12, true)],
      [flags, mask],
      JSON.stringify(change),
    );
  }
});

Deno.test("deleteLink() keeps its bytes and says what `ip link del` says", () => {
  assert.deepEqual(encodeMessages([deleteLink({ name: "pod1" })], 1), DELETE_BYTES);
  assert.deepEqual(difference(deleteLink({ index: 3 }), IPROUTE2_DELETE, LINK), NO_DIFFERENCE);
});

Deno.test("getLink() keeps its bytes and asks for less than `ip link show`", () => {
  const get = getLink({ name: "lan222" });
  assert.deepEqual(encodeMessages([get], 1), GET_BYTES);
  // IFLA_EXT_MASK: without RTEXT_FILTER_VF, the virtual functions of a network card.
  assert.deepEqual(difference(get, IPROUTE2_GET, LINK), {
    ours: ["29 = 08000000"],
    theirs: ["29 = 09000000"],
  });
});

Deno.test("dumpLinks() keeps its bytes and asks for less than `ip link show type`", () => {
  const dump = dumpLinks("vxlan");
  assert.deepEqual(encodeMessages([dump], 1), DUMP_BYTES);
  // iproute2 asks for statistics and virtual functions, and names AF_PACKET as family, for which
  // the kernel has no answers of its own.
  assert.deepEqual(difference(dump, IPROUTE2_DUMP, LINK), {
    ours: ["header = 00000000000000000000000000000000", "29 = 08000000"],
    theirs: ["header = 11000000000000000000000000000000", "29 = 01000000"],
  });
});

Deno.test("requests say in words what they do", () => {
  const bridge = {
    kind: "bridge",
    stp: false,
    multicastSnooping: false,
    ageingSeconds: 0,
  } as const;
  const table = [
    [createLink({ name: "lan222", attrs: bridge }), 'create bridge "lan222"'],
    [changeLink({ name: "pod1" }, { up: true, mtu: 1400 }), 'change up, mtu of "pod1"'],
    [changeBridge({ index: 3 }, bridge), "change bridge #3"],
    [changeBridgePort({ index: 3 }, { groupForwardMask: 0 }), "change bridge port #3"],
    [deleteLink({ index: 3 }), "delete link #3"],
    [getLink({ name: "pod1" }), 'get link "pod1"'],
    [dumpLinks(), "list links"],
    [dumpLinks("veth"), "list veth links"],
  ] as const;
  for (const [request, summary] of table) assert.equal(request.summary, summary);
});

Deno.test("createLink() is undone by decodeLink() for any attributes", () => {
  for (let seed = 0; seed < 500; seed++) {
    const random = randomInts(seed);
    const attrs = randomAttrs(random);
    const link = {
      name: `${attrs.kind}${seed}`,
      index: 1 + random(0x7fff_ffff),
      mtu: random(0x1_0000),
      address: formatMac(randomBytes(random, 6)),
      link: random(0x7fff_ffff),
    };
    const decoded = decodeLink(createLink({ ...link, attrs, up: random(2) === 1 }).payload);
    const { index, name, mtu, address, link: lower } = decoded;
    assert.deepEqual({ name, index, mtu, address, link: lower }, link);
    assert.deepEqual(decoded.attrs, attrs);
  }
});

function randomAttrs(random: (below: number) => number): Exclude<
  InfoAttrs,
  { readonly kind: "veth" | "other" }
> {
  switch (random(3)) {
    case 0:
      return {
        kind: "bridge",
        stp: random(2) === 1,
        multicastSnooping: random(2) === 1,
        ageingSeconds: random(100_000),
      };
    case 1:
      return { kind: "macvtap", mode: 1 << random(5) };
    default:
      return {
        kind: "vxlan",
        vni: random(1 << 24),
        ...(random(2) === 1 ? { group: formatIp(randomBytes(random, random(2) ? 4 : 16)) } : {}),
        ...(random(2) === 1 ? { underlayIndex: random(0x7fff_ffff) } : {}),
        port: random(0x1_0000),
        hopLimit: random(256),
        learning: random(2) === 1,
        ageingSeconds: random(100_000),
      };
  }
}
