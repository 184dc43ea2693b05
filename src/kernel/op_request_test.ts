import assert from "node:assert/strict";
import { lanOps } from "../plan/preview.ts";
import { builtLan } from "../../tests/support/built_lan.ts";
import { HOST, type NetOp, type Place } from "../plan/ops.ts";
import { opRequests } from "./op_request.ts";

const AT = "/run/k8slan/netns/knlvrf";
const POD1 = "/run/netns/pod1-ns";
const POD2 = "/run/netns/pod2-ns";

/** Socket, what it says, and the namespaces whose files it names. */
type Row = readonly [Place | undefined, readonly string[], readonly Place[]];

function rowOf(op: NetOp): Row {
  const opened: Place[] = [];
  const placed = opRequests(op, (place) => opened.push(place) + 100);
  return [placed?.at, placed?.requests.map(({ summary }) => summary) ?? [], opened];
}

Deno.test("opRequests() sends each operation of a LAN through the right namespace's socket", async () => {
  const { wanted } = await builtLan();
  const expected: readonly (readonly [NetOp["op"], ...Row])[] = [
    ["create-netns", undefined, [], []],
    // Made where the underlay is, born where the bridge is.
    ["create-vxlan", HOST, ['create vxlan "vx2"'], [AT]],
    ["create-veth", HOST, ['create veth "pod1"'], [AT]],
    ["change-link", HOST, [`change arp, alias of #143515682`], []],
    ["create-macvtap", HOST, ['create macvtap "net1"'], [POD1]],
    ["create-veth", HOST, ['create veth "net1"'], [AT, POD2]],
    ["isolate-host-end", undefined, [], []],
    ["disable-ipv6", undefined, [], []],
    ["create-bridge", AT, ['create bridge "br2"', "change mtu of #1048576"], []],
    ["change-link", AT, ['change up, alias of "br2"'], []],
    ["join-bridge", AT, ['change master of "vx2"', 'change bridge port "vx2"'], []],
    ["change-link", AT, ['change up, alias of "vx2"'], []],
    ["join-bridge", AT, ['change master of "pod1.b"', 'change bridge port "pod1.b"'], []],
    ["change-link", AT, ['change up of "pod1.b"'], []],
    ["join-bridge", AT, ['change master of "pod2.b"', 'change bridge port "pod2.b"'], []],
    ["change-link", AT, ['change up of "pod2.b"'], []],
    ["change-link", POD1, ['change up, allMulticast, alias of "net1"'], []],
    ["change-link", POD2, ['change up, alias of "net1"'], []],
    ["change-link", HOST, ['change up of "pod1"'], []],
    ["own-tap", undefined, [], []],
    ["change-link", AT, ['change alias of "pod1.b"'], []],
    ["change-link", AT, ['change alias of "pod2.b"'], []],
  ];
  assert.deepEqual(lanOps(wanted).map((op) => [op.op, ...rowOf(op)]), expected);
});

Deno.test("opRequests() knows what is only done to a LAN that stands", () => {
  const table: readonly (readonly [NetOp, Row])[] = [
    [{ op: "set-bridge", at: AT, name: "br2" }, [AT, ['change bridge "br2"'], []]],
    [
      {
        ...{ op: "change-peers", at: AT, name: "vx2", index: 9, add: ["2001:db8::2"] },
        remove: [{ mac: "02:00:00:00:00:01", dst: "2001:db8::3" }],
      },
      [AT, [
        "append forwarding entry 00:00:00:00:00:00 dst 2001:db8::2 of link #9",
        "delete forwarding entry 02:00:00:00:00:01 dst 2001:db8::3 of link #9",
      ], []],
    ],
    [{ op: "delete-link", at: AT, name: "vx2" }, [AT, ['delete link "vx2"'], []]],
    [{ op: "delete-netns", path: AT }, [undefined, [], []]],
  ];
  for (const [op, row] of table) assert.deepEqual(rowOf(op), row);
});
