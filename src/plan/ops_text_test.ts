import assert from "node:assert/strict";
import { HOST, type NetOp } from "./ops.ts";
import { opText } from "./ops_text.ts";

const AT = "/run/k8slan/netns/knlvrf";
const IN = `nsenter --net=${AT}`;
const POD = "/run/netns/pod1";
const PEER = { at: AT, name: "pod1.b", mtu: 1426, address: "02:00:00:00:00:02" };

const TEXTS: readonly (readonly [NetOp, readonly string[]])[] = [
  [{ op: "create-netns", path: AT, mark: "k8slan lan=uid name=default/a" }, [
    `mkdir -p /run/k8slan/netns && touch ${AT}`,
    `unshare --net=${AT} true`,
    `${IN} sysctl -qw net/ipv6/conf/default/disable_ipv6=1`,
    `${IN} sysctl -qw net/ipv6/conf/all/disable_ipv6=1`,
    `${IN} ip link set dev lo up alias 'k8slan lan=uid name=default/a'`,
  ]],
  [
    {
      ...{ op: "create-bridge", at: AT, name: "br2", index: 1048576, mtu: 1426 },
      address: "02:00:00:00:00:01",
    },
    [
      `${IN} ip link add name br2 index 1048576 address 02:00:00:00:00:01 mtu 68` +
      " type bridge stp_state 0 mcast_snooping 0 ageing_time 30000",
      `${IN} ip link set dev br2 mtu 1426`,
    ],
  ],
  [{ op: "set-bridge", at: AT, name: "br2" }, [
    `${IN} ip link set dev br2 type bridge stp_state 0 mcast_snooping 0 ageing_time 30000`,
  ]],
  [
    {
      ...{ op: "create-vxlan", at: AT, name: "vx2", vni: 222, group: "ff02::14", port: 4789 },
      ...{ hopLimit: 1, underlay: { name: "eth0.10", index: 3 }, mtu: 1426 },
      address: "02:00:00:00:00:01",
    },
    [
      `ip link add name vx2 address 02:00:00:00:00:01 mtu 1426 netns ${AT}` +
      " type vxlan id 222 group ff02::14 dev eth0.10 dstport 4789 ttl 1 ageing 300",
    ],
  ],
  [
    {
      ...{ op: "create-vxlan", at: AT, name: "vx2", index: 1048577, vni: 222, port: 4789 },
      ...{ local: "2001:db8::1", hopLimit: 64, underlay: { name: "eth1", index: 3 }, mtu: 1426 },
      address: "02:00:00:00:00:01",
    },
    [
      `ip link add name vx2 index 1048577 address 02:00:00:00:00:01 mtu 1426 netns ${AT}` +
      " type vxlan id 222 local 2001:db8::1 dev eth1 dstport 4789 ttl 64 ageing 300",
    ],
  ],
  [
    {
      ...{ op: "change-peers", at: AT, name: "vx2", index: 1048577, add: ["2001:db8::2"] },
      remove: [{ mac: "02:00:00:00:00:01", dst: "2001:db8::3" }],
    },
    [
      `${IN} bridge fdb append 00:00:00:00:00:00 dev vx2 dst 2001:db8::2 self permanent`,
      `${IN} bridge fdb del 02:00:00:00:00:01 dev vx2 dst 2001:db8::3 self`,
    ],
  ],
  [
    {
      ...{ op: "change-peers", at: AT, name: "vx2", index: 3, add: ["fe80::2"] },
      via: { name: "eth0.10", index: 3 },
      remove: [{ mac: "00:00:00:00:00:00", dst: "fe80::3", via: 3 }],
    },
    [
      `${IN} bridge fdb append 00:00:00:00:00:00 dev vx2 dst fe80::2` +
      " via if$(ip -o link show dev eth0.10 | cut -d: -f1) self permanent",
      `${IN} bridge fdb del 00:00:00:00:00:00 dev vx2 dst fe80::3 via if3 self`,
    ],
  ],
  [
    {
      ...{ op: "create-veth", at: HOST, name: "pod1", index: 2000000, mtu: 1426 },
      ...{ address: "02:00:00:00:00:01", peer: PEER },
    },
    [
      "ip link add name pod1 index 2000000 address 02:00:00:00:00:01 mtu 1426 numtxqueues 1 numrxqueues 1 type veth" +
      ` peer name pod1.b address 02:00:00:00:00:02 mtu 1426 numtxqueues 1 numrxqueues 1 netns ${AT}`,
    ],
  ],
  [
    {
      ...{ op: "create-veth", at: POD, name: "net1", mtu: 1426 },
      ...{ address: "02:00:00:00:00:01", peer: { ...PEER, at: HOST } },
    },
    [
      `ip link add name net1 address 02:00:00:00:00:01 mtu 1426 numtxqueues 1 numrxqueues 1 netns ${POD} type veth` +
      " peer name pod1.b address 02:00:00:00:00:02 mtu 1426 numtxqueues 1 numrxqueues 1",
    ],
  ],
  [
    {
      ...{ op: "create-macvtap", at: POD, name: "net1", index: 2000000 },
      lower: { name: "pod1", index: 2000000 },
    },
    [`ip link add link pod1 name net1 index 2000000 netns ${POD} type macvtap mode passthru`],
  ],
  [{ op: "change-link", at: HOST, name: "pod1", index: 2000000, arp: false, alias: "a b" }, [
    "ip link set dev pod1 arp off alias 'a b'",
  ]],
  [
    { op: "change-link", at: POD, name: "net1", up: true, allMulticast: true, arp: true },
    [`nsenter --net=${POD} ip link set dev net1 arp on allmulticast on up`],
  ],
  [{ op: "change-link", at: AT, name: "vx2", up: false, allMulticast: false, mtu: 1430 }, [
    `${IN} ip link set dev vx2 mtu 1430 allmulticast off down`,
  ]],
  [{ op: "join-bridge", at: AT, name: "vx2", bridge: "br2" }, [
    `${IN} ip link set dev vx2 master br2`,
    `${IN} ip link set dev vx2 type bridge_slave group_fwd_mask 0xfffd`,
  ]],
  [{ op: "isolate-host-end", name: "pod1" }, [
    "sysctl -qw net/ipv6/conf/pod1/disable_ipv6=1",
    "sysctl -qw net/ipv4/conf/pod1/rp_filter=1",
  ]],
  [{ op: "disable-ipv6", at: POD, name: "eth0.10" }, [
    `nsenter --net=${POD} sysctl -qw net/ipv6/conf/eth0.10/disable_ipv6=1`,
  ]],
  [
    {
      ...{ op: "own-tap", at: POD, name: "net1", index: 2000000 },
      owner: { uid: 107, gid: 36 },
    },
    ["chmod 600 /dev/tap2000000", "chown 107:36 /dev/tap2000000"],
  ],
  [{ op: "delete-link", at: AT, name: "pod1.b" }, [`${IN} ip link del dev pod1.b`]],
  [{ op: "delete-link", at: HOST, name: "pod1" }, ["ip link del dev pod1"]],
  [
    {
      ...{ op: "filter-port", at: AT, name: "pod1.b", replaces: false, mac: "02:00:00:00:00:01" },
      broadcast: { rate: 100, burst: 100 },
    },
    [
      `${IN} nft 'add table netdev k8slan; create chain netdev k8slan from-pod1.b` +
      ' { type filter hook ingress device "pod1.b" priority 0; policy accept; };' +
      " add rule netdev k8slan from-pod1.b ether saddr != 02:00:00:00:00:01 counter drop;" +
      " add rule netdev k8slan from-pod1.b ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00" +
      " limit rate over 100/second burst 100 packets counter drop'",
    ],
  ],
  [
    {
      ...{ op: "filter-port", at: AT, name: "pod1.b", replaces: true, mac: "02:00:00:00:00:01" },
    },
    [
      `${IN} nft 'add table netdev k8slan; add chain netdev k8slan from-pod1.b;` +
      " delete chain netdev k8slan from-pod1.b; create chain netdev k8slan from-pod1.b" +
      ' { type filter hook ingress device "pod1.b" priority 0; policy accept; };' +
      " add rule netdev k8slan from-pod1.b ether saddr != 02:00:00:00:00:01 counter drop'",
    ],
  ],
  [{ op: "unfilter-port", at: AT, name: "pod1.b" }, [
    `${IN} nft delete chain netdev k8slan from-pod1.b`,
  ]],
  [{ op: "delete-filters", path: AT }, [`${IN} nft delete table netdev k8slan`]],
  [{ op: "delete-netns", path: AT }, [`umount ${AT} && rm ${AT}`]],
];

Deno.test("opText() has the commands of every operation", () => {
  for (const [op, lines] of TEXTS) assert.deepEqual(opText(op), lines);
  const kinds = new Set(TEXTS.map(([{ op }]) => op));
  // As many as there are: a new one must have its row.
  assert.equal(kinds.size, 17);
});

/** The words that a shell makes of a line. */
async function words(line: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `for word in ${line}; do printf '%s\\0' "$word"; done`],
  }).output();
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

Deno.test("opText() quotes names so that a shell takes each for one word", async () => {
  const nasty = [
    "a b",
    "$(id)",
    "`id`",
    "a;b",
    "it's",
    '"',
    "*",
    "a&b",
    "#x",
    "~",
    "a\\b",
    "{a,b}",
  ];
  for (const name of nasty) {
    const at = `/run/netns/${name}`;
    const [line] = opText({ op: "delete-link", at, name });
    assert.deepEqual(
      await words(line!),
      ["nsenter", `--net=${at}`, "ip", "link", "del", "dev", name],
    );
    const [sysctl] = opText({ op: "disable-ipv6", at: HOST, name });
    assert.deepEqual(await words(sysctl!), [
      ...["sysctl", "-qw", `net/ipv6/conf/${name}/disable_ipv6=1`],
    ]);
    const [change] = opText({ op: "change-link", at: HOST, name, alias: name });
    assert.deepEqual(await words(change!), [
      ...["ip", "link", "set", "dev", name, "alias", name],
    ]);
  }
});

Deno.test("opText() leaves ordinary words as they are", () => {
  for (const [op] of TEXTS) {
    if ("alias" in op || op.op === "create-netns" || op.op === "filter-port") continue;
    for (const line of opText(op)) assert.ok(!line.includes("'"), line);
  }
});
