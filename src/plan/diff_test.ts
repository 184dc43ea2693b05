import assert from "node:assert/strict";
import type { BridgeAttrs } from "../netlink/link/bridge.ts";
import type { VxlanAttrs } from "../netlink/link/vxlan.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import {
  builtLan,
  MACVTAP,
  NOTHING,
  POD1,
  POD2,
  VETH,
  type Where,
  withLink,
} from "../../tests/support/built_lan.ts";
import { macvtapOn, vethOn } from "../../tests/support/lan_fixture.ts";
import { detachment, diff, removal } from "./diff.ts";
import { BRIDGE_INDEX } from "./identity.ts";
import { HOST, type NetOp } from "./ops.ts";
import type { WantedLan } from "./wanted.ts";

const AT = "/run/k8slan/netns/knlvrf";
const LAN_MARK = "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
const POD1_MARK = `${LAN_MARK} spoke=pod1`;
const POD2_MARK = `${LAN_MARK} spoke=pod2`;
const POD1_COMPLETE = `${POD1_MARK} container=c0ffee ifname=net1 attach=macvtap`;
const POD2_COMPLETE = `${POD2_MARK} container=c0ffee ifname=net1 attach=veth`;

const { wanted, observed } = await builtLan();

function names(ops: readonly NetOp[]): string[] {
  return ops.map((op) => `${op.op} ${"name" in op ? op.name : op.path}`);
}

Deno.test("diff() from nothing makes a LAN in order, the marks that count last", () => {
  const { index, address, portAddress } = MACVTAP;
  const { bridge, vxlan } = wanted;
  const expected: NetOp[] = [
    { op: "create-netns", path: AT, mark: `${LAN_MARK} name=k8slan-system/lan-test` },
    // The host's namespace.
    {
      ...{ op: "create-vxlan", at: AT, name: "vx2", vni: 222, group: "ff02::14", port: 4789 },
      ...{ hopLimit: 1, underlay: vxlan!.underlay, mtu: 1426, address: vxlan!.address },
    },
    {
      ...{ op: "create-veth", at: HOST, name: "pod1", index, mtu: 1426, address },
      peer: { at: AT, name: "pod1.b", mtu: 1426, address: portAddress },
    },
    { op: "change-link", at: HOST, name: "pod1", index, arp: false, alias: POD1_MARK },
    { op: "create-macvtap", at: POD1, name: "net1", index, lower: { name: "pod1", index } },
    {
      ...{ op: "create-veth", at: POD2, name: "net1", mtu: 1426, address: VETH.address },
      peer: { at: AT, name: "pod2.b", mtu: 1426, address: VETH.portAddress },
    },
    // Before anything is up.
    { op: "isolate-host-end", name: "pod1" },
    { op: "disable-ipv6", at: POD1, name: "net1" },
    // The LAN's namespace.
    {
      ...{ op: "create-bridge", at: AT, name: "br2", index: BRIDGE_INDEX, mtu: 1426 },
      address: bridge.address,
    },
    { op: "change-link", at: AT, name: "br2", up: true, alias: LAN_MARK },
    { op: "join-bridge", at: AT, name: "vx2", bridge: "br2" },
    { op: "change-link", at: AT, name: "vx2", up: true, alias: LAN_MARK },
    { op: "join-bridge", at: AT, name: "pod1.b", bridge: "br2" },
    { op: "change-link", at: AT, name: "pod1.b", up: true },
    { op: "join-bridge", at: AT, name: "pod2.b", bridge: "br2" },
    { op: "change-link", at: AT, name: "pod2.b", up: true },
    // The workloads'.
    { op: "change-link", at: POD1, name: "net1", up: true, allMulticast: true, alias: POD1_MARK },
    { op: "change-link", at: POD2, name: "net1", up: true, alias: POD2_MARK },
    { op: "change-link", at: HOST, name: "pod1", up: true },
    { op: "own-tap", at: POD1, name: "net1", index, owner: { uid: 107, gid: 107 } },
    // Only now do they count.
    { op: "change-link", at: AT, name: "pod1.b", alias: POD1_COMPLETE },
    { op: "change-link", at: AT, name: "pod2.b", alias: POD2_COMPLETE },
  ];
  assert.deepEqual(diff(wanted, NOTHING), expected);
});

Deno.test("diff() has nothing to do for what is there already", () => {
  assert.deepEqual(diff(wanted, observed), []);
});

Deno.test("diff() makes a namespace anew where a crash left a file", () => {
  const ops = diff(wanted, { ...NOTHING, netns: { state: "unfinished" } });
  assert.deepEqual(ops, diff(wanted, NOTHING));
});

Deno.test("diff() mends exactly what differs", () => {
  const change = (at: string, name: string, what: object): NetOp => {
    return { op: "change-link", at, name, ...what };
  };
  const join = (name: string): NetOp => ({ op: "join-bridge", at: AT, name, bridge: "br2" });
  const { attrs } = observed.links.get("br2")!;
  assert.ok(attrs.kind === "bridge");
  const bridge = (drift: Partial<BridgeAttrs>) => ({ attrs: { ...attrs, ...drift } });
  const reset: NetOp = { op: "set-bridge", at: AT, name: "br2" };
  const table: readonly (readonly [Where, string, Partial<LinkInfo>, readonly NetOp[]])[] = [
    ["lan", "lo", { up: false }, [change(AT, "lo", { up: true })]],
    ["lan", "br2", { up: false }, [change(AT, "br2", { up: true })]],
    [
      ...["lan", "br2", { address: "02:00:00:00:00:99" }] as const,
      [change(AT, "br2", { address: wanted.bridge.address })],
    ],
    ["lan", "br2", { mtu: 1500 }, [change(AT, "br2", { mtu: 1426 })]],
    ["lan", "br2", { alias: "x" }, [change(AT, "br2", { alias: LAN_MARK })]],
    [
      ...["lan", "br2", { up: false, mtu: 9 }] as const,
      [change(AT, "br2", { up: true, mtu: 1426 })],
    ],
    ["lan", "br2", bridge({ stp: true }), [reset]],
    ["lan", "br2", bridge({ multicastSnooping: true }), [reset]],
    ["lan", "br2", bridge({ ageingSeconds: 0 }), [reset]],
    ["lan", "vx2", { up: false }, [change(AT, "vx2", { up: true })]],
    ["lan", "vx2", { mtu: 1280 }, [change(AT, "vx2", { mtu: 1426 })]],
    ["lan", "vx2", { alias: "x" }, [change(AT, "vx2", { alias: LAN_MARK })]],
    ["lan", "vx2", { master: 9 }, [join("vx2")]],
    ["lan", "vx2", { port: { groupForwardMask: 0 } }, [join("vx2")]],
    ["lan", "pod1.b", { up: false }, [change(AT, "pod1.b", { up: true })]],
    ["lan", "pod1.b", { master: 9 }, [join("pod1.b")]],
    ["lan", "pod1.b", { port: { groupForwardMask: 0xfff8 } }, [join("pod1.b")]],
    ["lan", "pod2.b", { up: false }, [change(AT, "pod2.b", { up: true })]],
    ["host", "pod1", { up: false }, [change(HOST, "pod1", { up: true })]],
    ["host", "pod1", { arp: true }, [change(HOST, "pod1", { arp: false })]],
    // A workload's own business.
    [POD1, "net1", { up: false, mtu: 1280, alias: "mine", allMulticast: false }, []],
    [POD1, "net1", { name: "wan" }, []],
    [POD2, "net1", { up: false, mtu: 1280, alias: "mine", address: "02:00:00:00:00:09" }, []],
    [POD2, "net1", { name: "wan" }, []],
  ];
  for (const [where, name, drift, expected] of table) {
    const what = `${where} ${name} ${JSON.stringify(drift)}`;
    assert.deepEqual(diff(wanted, withLink(observed, where, name, drift)), expected, what);
  }
});

Deno.test("diff() puts every port into a bridge that has to be made anew", () => {
  const made = ["create-bridge br2", "change-link br2"];
  const rejoined = ["join-bridge vx2", "join-bridge pod1.b", "join-bridge pod2.b"];
  const table: readonly (readonly [string, Partial<LinkInfo> | "gone", string[]])[] = [
    ["missing", "gone", []],
    ["of another kind", { attrs: { kind: "other", name: "dummy" } }, ["delete-link br2"]],
    ["with another index", { index: 12 }, ["delete-link br2"]],
    ["renamed", { name: "old" }, ["delete-link old"]],
  ];
  for (const [what, drift, removed] of table) {
    const ops = diff(wanted, withLink(observed, "lan", "br2", drift));
    assert.deepEqual(names(ops), [...removed, ...made, ...rejoined], what);
  }
});

Deno.test("diff() makes a VXLAN anew that cannot be changed, and removes the old one first", () => {
  const { attrs } = observed.links.get("vx2")!;
  assert.ok(attrs.kind === "vxlan");
  const vxlan = (drift: Partial<VxlanAttrs>) => ({ attrs: { ...attrs, ...drift } });
  const made = ["create-vxlan vx2", "join-bridge vx2", "change-link vx2"];
  const table: readonly (readonly [string, Partial<LinkInfo> | "gone", string[]])[] = [
    ["missing", "gone", []],
    ["renamed", { name: "old" }, ["delete-link old"]],
    ["of another kind", { attrs: { kind: "other", name: "dummy" } }, ["delete-link vx2"]],
    ["another VNI", vxlan({ vni: 223 }), ["delete-link vx2"]],
    ["another group", vxlan({ group: "ff02::15" }), ["delete-link vx2"]],
    ["another port", vxlan({ port: 4790 }), ["delete-link vx2"]],
    ["another hop limit", vxlan({ hopLimit: 64 }), ["delete-link vx2"]],
    ["another underlay", vxlan({ underlayIndex: 99 }), ["delete-link vx2"]],
    ["no learning", vxlan({ learning: false }), ["delete-link vx2"]],
    ["another ageing", vxlan({ ageingSeconds: 3600 }), ["delete-link vx2"]],
  ];
  for (const [what, drift, removed] of table) {
    const ops = diff(wanted, withLink(observed, "lan", "vx2", drift));
    assert.deepEqual(names(ops), [...removed, ...made], what);
  }
});

Deno.test("diff() keeps all of a LAN while its underlay is missing, the VXLAN included", () => {
  const { vxlan: _, ...without } = wanted;
  assert.deepEqual(diff(without, observed), []);
  // It went with its underlay: there is nothing to make it on.
  assert.deepEqual(diff(without, withLink(observed, "lan", "vx2", "gone")), []);
  const ops = diff(without, NOTHING);
  assert.deepEqual(
    names(ops),
    names(diff(wanted, NOTHING)).filter((name) => !name.endsWith(" vx2")),
  );
});

Deno.test("diff() makes both ends of a spoke, whichever is missing", () => {
  const pair = [
    ...["create-veth pod1", "change-link pod1", "create-macvtap net1", "isolate-host-end pod1"],
    ...["disable-ipv6 net1", "join-bridge pod1.b", "change-link pod1.b", "change-link net1"],
    ...["change-link pod1", "own-tap net1", "change-link pod1.b"],
  ];
  const gone = withLink(withLink(observed, "lan", "pod1.b", "gone"), POD1, "net1", "gone");
  assert.deepEqual(names(diff(wanted, withLink(gone, "host", "pod1", "gone"))), pair);
  // The host end is still there: its port was renamed, or is about to go with its namespace.
  assert.deepEqual(names(diff(wanted, gone)), ["delete-link pod1", ...pair]);
});

Deno.test("diff() keeps only the port of an attachment whose workload is not known", () => {
  const { target: _, ...macvtap } = MACVTAP;
  const { target: __, ...veth } = VETH;
  const kept: WantedLan = { ...wanted, attachments: [macvtap, veth] };
  assert.deepEqual(diff(kept, { ...observed, targets: new Map(), hostLinks: new Map() }), []);
  const loose = withLink(observed, "lan", "pod1.b", { master: 9 });
  assert.deepEqual(names(diff(kept, loose)), ["join-bridge pod1.b"]);
  assert.deepEqual(diff(kept, withLink(observed, "lan", "pod2.b", "gone")), []);
});

Deno.test("diff() makes a macvtap anew that its workload has lost", () => {
  const made = ["create-macvtap net1", "disable-ipv6 net1", "change-link net1", "own-tap net1"];
  assert.deepEqual(names(diff(wanted, withLink(observed, POD1, "net1", "gone"))), made);
  // It put something else in its place.
  const other: Partial<LinkInfo> = { index: 5, attrs: { kind: "other", name: "dummy" } };
  assert.deepEqual(diff(wanted, withLink(observed, POD1, "net1", other)), []);
  // The namespace was not looked at.
  assert.deepEqual(diff(wanted, { ...observed, targets: new Map() }), []);
});

Deno.test("removal() deletes the VXLAN before the namespace, whatever its name", () => {
  const expected = (name: string): NetOp[] => [
    { op: "delete-link", at: AT, name },
    { op: "delete-netns", path: AT },
  ];
  assert.deepEqual(removal(wanted, observed.links.values()), expected("vx2"));
  const renamed = withLink(observed, "lan", "vx2", { name: "old" });
  assert.deepEqual(removal(wanted, renamed.links.values()), expected("old"));
  assert.deepEqual(removal(wanted, []), [{ op: "delete-netns", path: AT }]);
});

Deno.test("detachment() deletes the port, if there is one", () => {
  assert.deepEqual(detachment(observed, AT, "pod1.b"), [
    { op: "delete-link", at: AT, name: "pod1.b" },
  ]);
  assert.deepEqual(detachment(observed, AT, "pod3.b"), []);
});

Deno.test("diff() leaves alone what else is in the LAN's namespace", async () => {
  const { wanted, observed } = await builtLan([
    MACVTAP,
    VETH,
    vethOn(undefined, {
      ...{ target: POD1, ifname: "eth7" },
    }),
  ]);
  const fewer = { ...wanted, attachments: [MACVTAP] };
  assert.deepEqual(diff(fewer, observed), []);
});

Deno.test("diff() makes one more attachment without touching the others", () => {
  const more = macvtapOn("pod3", { target: POD2, ifname: "net2" });
  const ops = diff({ ...wanted, attachments: [...wanted.attachments, more] }, observed);
  const touched = ops.flatMap((op) => ("name" in op ? [op.name] : []));
  assert.deepEqual(new Set(touched), new Set(["pod3", "net2", "pod3.b"]));
});
