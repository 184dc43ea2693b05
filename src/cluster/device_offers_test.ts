import assert from "node:assert/strict";
import { fastest } from "../../tests/support/fastest.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { LanRegistry } from "../agent/lan_registry.ts";
import type { Lan, LanSpec } from "../api/lan.ts";
import { deviceOffers } from "./device_offers.ts";

const nowhere = (_lanUid: string, _spoke: string) => false;

/** What the node "worker1" offers of these LANs. */
function offers(lans: readonly Lan[], isHeldElsewhere = nowhere, node = "worker1") {
  const registry = new LanRegistry();
  registry.replace(lans);
  return deviceOffers(registry.all(), node, isHeldElsewhere);
}

function lan(number: number, spec: Partial<LanSpec>): Lan {
  const own = { ns: `ns${number}`, vni: number, spokes: [`spoke${number}`] };
  return seedLan({ ...own, ...spec }, `uid${number}`);
}

/** A LAN that names an underlay for the nodes in `vxlanDevMap` alone. */
function withoutDefault(vxlanDevMap: Record<string, string> = {}): Lan {
  const { defaultVxlanDev: _, ...spec } = seedLan().spec;
  return { ...seedLan(), spec: { ...spec, vxlanDevMap } };
}

Deno.test("deviceOffers() has one healthy device for each spoke, named as the spoke", () => {
  assert.deepEqual(
    offers([seedLan()]),
    new Map([
      ["macvtap.k8slan.io/pod1", [{ id: "pod1", healthy: true }]],
      ["macvtap.k8slan.io/pod2", [{ id: "pod2", healthy: true }]],
    ]),
  );
});

Deno.test("deviceOffers() has a device unhealthy while another node holds its spoke", () => {
  const asked: string[] = [];
  const found = offers([seedLan()], (lanUid, spoke) => {
    asked.push(lanUid);
    return spoke === "pod2";
  });
  assert.deepEqual([...found.values()].flat(), [
    { id: "pod1", healthy: true },
    { id: "pod2", healthy: false },
  ]);
  assert.deepEqual(new Set(asked), new Set([seedLan().metadata.uid]));
});

const deleted: Lan = {
  ...seedLan(),
  metadata: { ...seedLan().metadata, deletionTimestamp: "2026-01-31T13:00:00Z" },
};
const rows: readonly (readonly [string, readonly Lan[], readonly string[]])[] = [
  ["nothing without LANs", [], []],
  ["nothing of a LAN that is being deleted", [deleted], []],
  [
    "nothing of a LAN that is not accepted",
    [lan(1, { spokes: ["a"] }), lan(2, { vni: 1, spokes: ["b"] })],
    ["a"],
  ],
  [
    "nothing of a LAN whose values one that is being deleted still has",
    [deleted, lan(2, { spokes: ["pod1", "b"] })],
    [],
  ],
  ["nothing of a LAN without an underlay here", [withoutDefault({ worker2: "eth2" })], []],
  ["a LAN with an underlay for this node alone", [withoutDefault({ worker1: "eth1" })], [
    "pod1",
    "pod2",
  ]],
  ["nothing of a LAN without spokes", [lan(1, { spokes: [] })], []],
];
for (const [title, lans, spokes] of rows) {
  Deno.test(`deviceOffers() has ${title}`, () => {
    assert.deepEqual([...offers(lans).values()].flat().map(({ id }) => id), spokes);
  });
}

Deno.test("deviceOffers() is the same in whatever order LANs and spokes come", () => {
  const lans = [lan(1, { spokes: ["b", "d"] }), lan(2, { spokes: ["c", "a"] })];
  const expected = JSON.stringify([...offers(lans)]);
  assert.equal(JSON.stringify([...offers(lans.toReversed())]), expected);
  assert.equal(JSON.stringify([...offers([lan(1, { spokes: ["d", "b"] }), lans[1]!])]), expected);
});

Deno.test("deviceOffers() takes less than a millisecond for 100 LANs with 4 spokes", () => {
  const lans = Array.from({ length: 100 }, (_, i) => {
    return lan(i + 1, { spokes: [0, 1, 2, 3].map((n) => `lan${i}-${n}`) });
  });
  const registry = new LanRegistry();
  registry.replace(lans);
  const best = fastest(() => {
    assert.equal(deviceOffers(registry.all(), "worker1", nowhere).size, 400);
  }, 1);
  assert.ok(best < 1, `took ${best} ms`);
});
