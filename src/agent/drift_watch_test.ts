import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { AttrWriter } from "../netlink/wire/attrs.ts";
import {
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_VXLAN_ID,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from "../netlink/wire/constants.ts";
import type { EventBatch, KernelEvent } from "../sys/netlink_events.ts";
import { type Dependencies, DriftWatch } from "./drift_watch.ts";

const IFINFO_BYTES = 16;
const IFADDR_BYTES = 8;

/** An event about link `index`, which is called `name` by now. */
function link(type: number, index: number, name: string, netnsId?: number): KernelEvent {
  const head = new Uint8Array(IFINFO_BYTES);
  new DataView(head.buffer).setInt32(4, index, true);
  const payload = new AttrWriter().raw(head).text(IFLA_IFNAME, name).finish();
  return { netnsId, message: { type, flags: 0, sequence: 0, payload } };
}

function address(type: number, index: number): KernelEvent {
  const payload = new Uint8Array(IFADDR_BYTES);
  new DataView(payload.buffer).setUint32(4, index, true);
  return { netnsId: undefined, message: { type, flags: 0, sequence: 0, payload } };
}

function vxlan(type: number, index: number, name: string, netnsId?: number): KernelEvent {
  const { message } = link(type, index, name, netnsId);
  const kind = new AttrWriter().nested(IFLA_LINKINFO, (info) => {
    info.text(IFLA_INFO_KIND, "vxlan").nested(IFLA_INFO_DATA, (data) => data.u32(IFLA_VXLAN_ID, 1));
  }).finish();
  const payload = Uint8Array.of(...message.payload, ...kind);
  return { netnsId, message: { ...message, payload } };
}

const A: Dependencies = {
  netnsId: 5,
  underlay: { name: "eth1", index: 7 },
  spokes: ["pod1", "pod2"],
};
const B: Dependencies = { netnsId: 6, underlay: { name: "eth1", index: 7 }, spokes: ["pod3"] };
/** Its underlay is not there yet. */
const C: Dependencies = { netnsId: undefined, underlay: { name: "eth9" }, spokes: [] };

const V: Dependencies = { netnsId: undefined, underlay: undefined, spokes: [], vxlans: true };

function watch(): DriftWatch {
  const drift = new DriftWatch(() => {}, new LogRecorder());
  for (const [lan, dependencies] of Object.entries({ A, B, C, V })) drift.track(lan, dependencies);
  return drift;
}

const found: readonly (readonly [string, readonly KernelEvent[], readonly string[]])[] = [
  ["a change in a LAN's namespace", [link(RTM_NEWLINK, 2, "br2", 5)], ["A"]],
  ["a removal in a LAN's namespace", [link(RTM_DELLINK, 9, "x", 6)], ["B"]],
  ["a change in a namespace of nobody's", [link(RTM_NEWLINK, 2, "br2", 4)], []],
  ["a link elsewhere that is called as a spoke is", [link(RTM_NEWLINK, 2, "pod1", 4)], []],
  ["a change of a spoke", [link(RTM_NEWLINK, 30, "pod2")], ["A"]],
  ["a removal of a spoke", [link(RTM_DELLINK, 30, "pod3")], ["B"]],
  ["a change of an underlay that two have", [link(RTM_NEWLINK, 7, "eth1")], ["A", "B"]],
  ["an underlay that appears", [link(RTM_NEWLINK, 12, "eth9")], ["C"]],
  ["a link of the host that is nobody's", [link(RTM_NEWLINK, 40, "docker0")], []],
  ["an address of an underlay", [address(RTM_NEWADDR, 7)], ["A", "B"]],
  ["an address that goes from an underlay", [address(RTM_DELADDR, 7)], ["A", "B"]],
  ["an address of another link", [address(RTM_NEWADDR, 8)], []],
  ["an address of an underlay that appeared", [
    link(RTM_NEWLINK, 12, "eth9"),
    address(RTM_NEWADDR, 12),
  ], ["C"]],
  ["an underlay that is renamed", [link(RTM_NEWLINK, 7, "wan0")], ["A", "B"]],
  ["an underlay that goes under another name", [
    link(RTM_NEWLINK, 7, "wan0"),
    link(RTM_DELLINK, 7, "wan0"),
  ], ["A", "B"]],
  ["a link that takes a spoke's name", [link(RTM_NEWLINK, 41, "pod1")], ["A"]],
  ["several at once, each LAN once", [
    link(RTM_NEWLINK, 7, "eth1"),
    link(RTM_NEWLINK, 2, "br2", 5),
    link(RTM_NEWLINK, 30, "pod1"),
  ], ["A", "B"]],
  ["a VXLAN in the host's namespace", [vxlan(RTM_NEWLINK, 50, "cilium_vxlan")], ["V"]],
  ["a VXLAN that goes from there", [vxlan(RTM_DELLINK, 50, "cilium_vxlan")], ["V"]],
  ["a VXLAN elsewhere", [vxlan(RTM_NEWLINK, 50, "vx2", 4)], []],
  ["a message of another kind", [{
    netnsId: undefined,
    message: { type: RTM_NEWROUTE, flags: 0, sequence: 0, payload: new Uint8Array() },
  }], []],
];

for (const [what, events, suspects] of found) {
  Deno.test(`suspects() of ${what}`, () => {
    assert.deepEqual([...watch().suspects(events)].toSorted(), suspects);
  });
}

Deno.test("suspects() knows a renamed link by its former name from the event after the rename", () => {
  const drift = watch();
  drift.suspects([link(RTM_NEWLINK, 30, "pod1")]);
  assert.deepEqual([...drift.suspects([link(RTM_NEWLINK, 30, "mine")])], ["A"]);
});

Deno.test("suspects() forgets the name of a link that has gone", () => {
  const drift = watch();
  drift.suspects([link(RTM_NEWLINK, 30, "pod1")]);
  drift.suspects([link(RTM_DELLINK, 30, "pod1")]);
  assert.deepEqual([...drift.suspects([link(RTM_NEWLINK, 30, "docker1")])], []);
});

Deno.test("suspects() of a shared underlay that looks as before: nobody, until it changes", () => {
  const drift = watch();
  const [eth1, renamed] = [link(RTM_NEWLINK, 7, "eth1"), link(RTM_NEWLINK, 7, "wan0")];
  const rounds = [[eth1, 2], [eth1, 0], [renamed, 2], [eth1, 2], [eth1, 0]] as const;
  for (const [event, count] of rounds) assert.equal(drift.suspects([event]).size, count);
  assert.equal(drift.suspects([address(RTM_NEWADDR, 7)]).size, 2);
});

Deno.test("suspects() of a spoke: its LAN, however often it looks the same", () => {
  const drift = watch();
  const event = link(RTM_NEWLINK, 30, "pod1");
  for (let round = 0; round < 2; round++) assert.equal(drift.suspects([event]).size, 1);
});

Deno.test("untrack() ends it for that LAN alone", () => {
  const drift = watch();
  drift.untrack("A");
  assert.deepEqual(
    [...drift.suspects([
      link(RTM_NEWLINK, 2, "br2", 5),
      link(RTM_NEWLINK, 30, "pod1"),
      link(RTM_NEWLINK, 7, "eth1"),
    ])],
    ["B"],
  );
});

Deno.test("untrack() of a LAN that is not tracked does nothing", () => {
  const drift = watch();
  drift.untrack("Z");
  assert.deepEqual([...drift.suspects([link(RTM_NEWLINK, 30, "pod1")])], ["A"]);
});

Deno.test("untrack() leaves a namespace id to the LAN that has it by now", () => {
  const drift = watch();
  drift.track("D", { ...C, netnsId: 5 });
  drift.untrack("A");
  assert.deepEqual([...drift.suspects([link(RTM_NEWLINK, 2, "br2", 5)])], ["D"]);
});

Deno.test("track() replaces what the LAN depended on before", () => {
  const drift = watch();
  drift.track("A", { netnsId: 8, underlay: undefined, spokes: ["pod9"] });
  const before = [link(RTM_NEWLINK, 2, "br2", 5), link(RTM_NEWLINK, 30, "pod1")];
  const now = [link(RTM_NEWLINK, 31, "pod9")];
  assert.deepEqual([...drift.suspects(before)], []);
  assert.deepEqual([...drift.suspects(now)], ["A"]);
});

async function* batches(...all: EventBatch[]): AsyncGenerator<EventBatch> {
  yield* all;
  await Promise.resolve();
}

Deno.test("run() passes on what events concern, until they end", async () => {
  const suspected: string[] = [];
  const drift = new DriftWatch((lan) => suspected.push(lan), new LogRecorder());
  drift.track("A", A);
  await drift.run(batches(
    { events: [link(RTM_NEWLINK, 30, "pod1")], overrun: false },
    { events: [link(RTM_NEWLINK, 40, "docker0")], overrun: false },
    { events: [link(RTM_NEWLINK, 2, "br2", 5)], overrun: false },
  ));
  assert.deepEqual(suspected, ["A", "A"]);
});

Deno.test("run() suspects every LAN after events were lost, and says so", async () => {
  const suspected: string[] = [];
  const log = new LogRecorder();
  const drift = new DriftWatch((lan) => suspected.push(lan), log);
  drift.track("A", A);
  drift.track("B", B);
  await drift.run(batches({ events: [], overrun: true }));
  assert.deepEqual(suspected, ["A", "B"]);
  assert.equal(log.messages("warn").length, 1);
});

Deno.test("run() trusts no former look after events were lost", async () => {
  const suspected: string[] = [];
  const drift = new DriftWatch((lan) => suspected.push(lan), new LogRecorder());
  drift.track("A", A);
  drift.track("B", B);
  const seen = { events: [link(RTM_NEWLINK, 7, "eth1")], overrun: false };
  await drift.run(batches(seen, { events: [], overrun: true }, seen));
  assert.deepEqual(suspected, ["A", "B", "A", "B", "A", "B"]);
});
