import assert from "node:assert/strict";
import type { LanSpec } from "../api/lan.ts";
import { goodUnderlay, macvtapOn, seedLan } from "../../tests/support/lan_fixture.ts";
import { lanName, lanPlan, underlayName } from "./lan_plan.ts";
import type { Underlay, WantedLan } from "./wanted.ts";

const NODE = { name: "worker1", netnsDir: "/run/k8slan/netns" };

function plan(spec: Partial<LanSpec> = {}, underlay: Underlay | undefined = goodUnderlay()) {
  return lanPlan(seedLan(spec), NODE, underlay);
}

function reasons({ conditions }: WantedLan): string[] {
  return conditions.map(({ reason, blocking }) => `${reason}${blocking ? " blocks" : ""}`);
}

Deno.test("lanPlan() turns the README's LAN into namespace, bridge and VXLAN", () => {
  const attachments = [macvtapOn("pod1")];
  const wanted = lanPlan(seedLan(), NODE, goodUnderlay(), attachments);
  assert.deepEqual(wanted, {
    lan: "k8slan-system/lan-test",
    uid: "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90",
    netns: {
      path: "/run/k8slan/netns/knlvrf",
      mark: "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90 name=k8slan-system/lan-test",
    },
    mtu: 1426,
    bridge: { name: "br2", address: wanted.bridge.address },
    vxlan: {
      ...{ name: "vx2", vni: 222, group: "ff02::14", port: 4789, hopLimit: 1, mtu: 1426 },
      underlay: { name: "eth1", index: 7 },
      address: wanted.vxlan?.address,
    },
    attachments,
    conditions: [],
  });
});

Deno.test("lanPlan() gives the bridge one address on all nodes, and each VXLAN its own", () => {
  const one = plan();
  const two = lanPlan(seedLan(), { ...NODE, name: "worker2" }, goodUnderlay());
  const addresses = [one, two].flatMap(({ bridge, vxlan }) => [bridge.address, vxlan?.address]);
  assert.equal(new Set(addresses).size, 3);
  assert.equal(one.bridge.address, two.bridge.address);
});

Deno.test("lanPlan() marks the namespace of a LAN with a long UID with what marks say of it", () => {
  const uid = `file.${"n".repeat(63)}.${"l".repeat(59)}`;
  const { netns } = lanPlan(seedLan({}, uid), NODE, goodUnderlay());
  assert.equal(
    netns.mark,
    "k8slan lan=cfd9dba0ffc5d28b8aa2f91ce9a694c9 name=k8slan-system/lan-test",
  );
});

Deno.test("lanPlan() leaves 74 bytes of the underlay's MTU, unless the LAN says otherwise", () => {
  // Underlay, spec.mtu → bridge, VXLAN.
  const table: readonly (readonly [number, number | undefined, number, number | undefined])[] = [
    [1500, undefined, 1426, 1426],
    [9000, undefined, 8926, 8926],
    [1574, undefined, 1500, 1500],
    [1280, undefined, 1206, 1206],
    [1500, 1280, 1280, 1280],
    [1500, 1426, 1426, 1426],
    [1500, 1430, 1430, 1430],
    // More than it carries: the VXLAN has what it can, the condition says so.
    [1500, 1500, 1500, 1430],
    [1279, undefined, 1205, undefined],
  ];
  for (const [underlay, mtu, bridge, vxlan] of table) {
    const wanted = plan(mtu === undefined ? {} : { mtu }, goodUnderlay({ mtu: underlay }));
    assert.deepEqual([wanted.mtu, wanted.vxlan?.mtu], [bridge, vxlan], `${underlay}, ${mtu}`);
  }
});

Deno.test("lanPlan() takes Ethernet's MTU for an underlay that does not exist", () => {
  const wanted = lanPlan(seedLan(), NODE, undefined);
  assert.equal(wanted.mtu, 1426);
  assert.equal(wanted.vxlan, undefined);
});

Deno.test("lanPlan() lets packets cross routers when the group's scope does", () => {
  const table: readonly (readonly [string, number])[] = [
    ["ff02::14", 1],
    ["ff12::14", 1],
    ["ff03::14", 64],
    ["ff05::14", 64],
    ["ff08::14", 64],
    ["ff0e::14", 64],
    ["ff3e:40:2001:db8::1", 64],
  ];
  for (const [vxlanGrp, hopLimit] of table) {
    assert.equal(plan({ vxlanGrp }).vxlan?.hopLimit, hopLimit, vxlanGrp);
  }
});

Deno.test("lanPlan() of a unicast underlay sends from the node's address to each peer", () => {
  const underlay = goodUnderlay({ addresses: ["2001:db8::1", "fe80::1"] });
  const lan = seedLan({ underlay: "unicast" });
  const peers = ["2001:db8::3", "2001:DB8::2", "2001:db8::1"];
  const { vxlan, conditions } = lanPlan(lan, NODE, underlay, [], peers);
  assert.deepEqual(conditions, []);
  const { group, local, hopLimit } = vxlan!;
  assert.deepEqual([group, local, hopLimit], [undefined, "2001:db8::1", 64]);
  assert.deepEqual(vxlan!.peers, ["2001:db8::2", "2001:db8::3"]);
  // Nothing is known, so nothing is said.
  assert.equal(lanPlan(lan, NODE, underlay, [], "unknown").vxlan?.peers, undefined);
  assert.deepEqual(lanPlan(lan, NODE, underlay, [], "unknown").conditions, []);
});

Deno.test("lanPlan() of a unicast underlay says whom it cannot reach, and where it has no address", () => {
  const lan = seedLan({ underlay: "unicast" });
  const table: readonly (readonly [string[], string[], string, RegExp])[] = [
    [
      ["fe80::1"],
      ["2001:db8::2", "fe80::2"],
      "PeersOutOfReach",
      /from fe80::1 .* to 2001:db8::2: .*; give "eth1" of node "worker1" a global/,
    ],
    [["2001:db8::1"], ["fe80::2"], "PeersOutOfReach", /to fe80::2: .*; give those nodes a global/],
    [[], ["fe80::2"], "NoIpv6Source", /"eth1".*has no usable IPv6 address on node "worker1"/],
  ];
  for (const [addresses, peers, reason, message] of table) {
    const wanted = lanPlan(lan, NODE, goodUnderlay({ addresses }), [], peers);
    assert.deepEqual(reasons(wanted), [reason]);
    assert.match(wanted.conditions[0]!.message, message);
    assert.equal(wanted.vxlan === undefined, addresses.length === 0);
  }
  const checked = [["tentative", /still being checked/], [
    "duplicate",
    /another host uses too/,
  ]] as const;
  for (const [unusable, message] of checked) {
    // A link-local one that is none is nothing else.
    const underlay = goodUnderlay({ ipv6: "none", addresses: [], unusable });
    const wanted = lanPlan(lan, NODE, underlay, [], ["fe80::2"]);
    assert.deepEqual(reasons(wanted), ["NoIpv6Source"]);
    assert.match(wanted.conditions[0]!.message, message);
    assert.match(
      wanted.conditions[0]!.message,
      /^Underlay device "eth1" of LAN .* has an IPv6 address that/,
    );
  }
  // Duplicate detection of the link-local address is not its business.
  const underlay = goodUnderlay({ ipv6: "duplicate", addresses: ["2001:db8::1"] });
  assert.deepEqual(lanPlan(lan, NODE, underlay, [], []).conditions, []);
});

Deno.test("lanPlan() writes the group as the kernel does", () => {
  const table = [["FF02::14", "ff02::14"], ["ff05:0:0::0014", "ff05::14"]] as const;
  for (const [vxlanGrp, group] of table) assert.equal(plan({ vxlanGrp }).vxlan?.group, group);
});

Deno.test("underlayName() takes the node's own device, then the default, then none", () => {
  const map = { worker1: "eth1", constructor: "eth3" };
  const table: readonly (readonly [Partial<LanSpec>, string, string | undefined])[] = [
    [{}, "worker1", "eth1"],
    [{}, "worker9", "eth0.10"],
    [{ vxlanDevMap: map }, "constructor", "eth3"],
    // What every object inherits is nobody's entry.
    [{}, "constructor", "eth0.10"],
    [{}, "toString", "eth0.10"],
    [{}, "__proto__", "eth0.10"],
    [{}, "hasOwnProperty", "eth0.10"],
  ];
  for (const [spec, node, device] of table) {
    assert.equal(underlayName(seedLan(spec).spec, node), device, node);
  }
  const { defaultVxlanDev: _, ...rest } = seedLan().spec;
  assert.equal(underlayName(rest, "worker9"), undefined);
  assert.equal(underlayName(rest, "valueOf"), undefined);
  const { vxlanDevMap: __, ...neither } = rest;
  assert.equal(underlayName(neither, "worker1"), undefined);
});

Deno.test("lanPlan() says what is wrong with the way to the other nodes", () => {
  const table: readonly (readonly [string, Partial<LanSpec>, Partial<Underlay>, RegExp])[] = [
    [
      ...["MtuTooLarge blocks", { mtu: 1431 }, {}] as const,
      /asks for MTU 1431.*"eth1".*"worker1".*1500.*at most 1430; raise.*to 1501 or lower spec\.mtu/,
    ],
    ["UnderlayMtuTooSmall blocks", {}, { mtu: 1279 }, /"eth1".*MTU 1279.*at least 1280/],
    ["UnderlayDown", {}, { up: false, running: false, ipv6: "none" }, /"eth1".* is down;/],
    ["UnderlayDown", {}, { running: false }, /"eth1".*without carrier/],
    ["NoIpv6Source", {}, { ipv6: "none" }, /"eth1".*has no link-local/],
    ["NoIpv6Source", {}, { ipv6: "tentative" }, /"eth1".*still being checked/],
    ["NoIpv6Source", {}, { ipv6: "duplicate" }, /"eth1".*another host uses too/],
    ["Ipv6Off blocks", {}, { ipv6: "off" }, /"eth1".*IPv6 switched off.*eth1\/disable_ipv6=0/],
    ["LanMtuSmall", {}, { mtu: 1353 }, /carries 1279.*"eth1".*MTU 1353.*raise.*to 1354/],
    ["PeersUnnamed blocks", { underlay: "unicast" }, {}, /unicast.*--peers/],
  ];
  for (const [reason, spec, underlay, message] of table) {
    const wanted = plan(spec, goodUnderlay(underlay));
    assert.deepEqual(reasons(wanted), [reason]);
    assert.match(wanted.conditions[0]!.message, message);
    assert.match(wanted.conditions[0]!.message, /^[A-Z].*[^.]$/);
    assert.match(wanted.conditions[0]!.message, /LAN "k8slan-system\/lan-test"/);
  }
});

Deno.test("lanPlan() says that the underlay is missing, or that the LAN names none", () => {
  const absent = lanPlan(seedLan(), NODE, undefined);
  assert.deepEqual(reasons(absent), ["UnderlayMissing blocks"]);
  assert.match(absent.conditions[0]!.message, /"eth1".*does not exist on node "worker1"/);
  const { spec: { vxlanDevMap: _, defaultVxlanDev: __, ...spec }, ...lan } = seedLan();
  const unnamed = lanPlan({ ...lan, spec }, NODE, undefined);
  assert.deepEqual(reasons(unnamed), ["UnderlayNotNamed blocks"]);
  assert.match(unnamed.conditions[0]!.message, /"worker1"; add it to spec\.vxlanDevMap/);
});

Deno.test("lanPlan() is content with an underlay that carries exactly what is asked", () => {
  for (const underlay of [{}, { mtu: 1354 }, { mtu: 65536 }]) {
    assert.deepEqual(reasons(plan({}, goodUnderlay(underlay))), []);
  }
  assert.deepEqual(reasons(plan({ mtu: 1430 })), []);
});

Deno.test("lanName() is namespace and name", () => {
  assert.equal(lanName(seedLan()), "k8slan-system/lan-test");
});
