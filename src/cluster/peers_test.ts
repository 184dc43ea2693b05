import assert from "node:assert/strict";
import { lanNodeObject } from "../../tests/support/lan_node_objects.ts";
import type { LanOnNode } from "../api/lan_node.ts";
import type { LanNodeObject } from "../kube/resources.ts";
import { ClusterPeers, lanPeers } from "./peers.ts";

/** A node that says this of LANs, by UID. */
function nodeOf(name: string, lans: Readonly<Record<string, Partial<LanOnNode>>>): LanNodeObject {
  const reported = Object.entries(lans).map(([uid, lan]) => (
    { namespace: "lab", name: uid, uid, attached: 1, ready: true, ...lan }
  ));
  return { ...lanNodeObject(name, []), status: { version: "", attached: 1, lans: reported } };
}

const NODES = [
  nodeOf("worker1", { a: { vtep: "2001:db8::1" }, b: { vtep: "2001:db8::1" } }),
  nodeOf("worker3", { a: { vtep: "2001:db8::3" } }),
  nodeOf("worker2", { b: { vtep: "2001:db8::2" }, a: { vtep: "2001:db8::2" } }),
];

Deno.test("lanPeers() takes from all nodes but its own who has a LAN, and where", () => {
  assert.deepEqual(lanPeers(NODES, "worker1"), [
    { lanUid: "a", node: "worker2", vtep: "2001:db8::2" },
    { lanUid: "a", node: "worker3", vtep: "2001:db8::3" },
    { lanUid: "b", node: "worker2", vtep: "2001:db8::2" },
  ]);
  assert.deepEqual(lanPeers(NODES.toReversed(), "worker1"), lanPeers(NODES, "worker1"));
});

Deno.test("lanPeers() leaves out nodes with nothing attached, without an address or with a bad one", () => {
  const table: readonly (readonly [string, Partial<LanOnNode>])[] = [
    ["nothing attached", { attached: 0, vtep: "2001:db8::2" }],
    ["no address", {}],
    ["a group", { vtep: "ff02::14" }],
    ["loopback", { vtep: "::1" }],
    ["IPv4 in disguise", { vtep: "::ffff:c000:201" }],
    ["no address at all", { vtep: "2001:db8" }],
  ];
  for (const [what, lan] of table) {
    assert.deepEqual(lanPeers([nodeOf("worker2", { a: lan })], "worker1"), [], what);
  }
  assert.deepEqual(lanPeers([lanNodeObject("worker2"), lanNodeObject("worker3", [])], "x"), []);
});

Deno.test("ClusterPeers.of() gives each address once, in order, also for two ways to write it", () => {
  const peers = new ClusterPeers("worker1");
  peers.update([
    nodeOf("worker4", { a: { vtep: "2001:db8::2" } }),
    nodeOf("worker3", { a: { vtep: "2001:db8:0::2" } }),
    nodeOf("worker2", { a: { vtep: "2001:db8::1" } }),
  ]);
  assert.deepEqual(peers.of("a"), ["2001:db8::1", "2001:db8::2"]);
  assert.deepEqual(peers.of("b"), []);
});

Deno.test("ClusterPeers.update() names the LANs whose peers have changed, and no others", () => {
  const peers = new ClusterPeers("worker1");
  assert.deepEqual(peers.update(NODES), ["a", "b"]);
  assert.deepEqual(peers.update(NODES.toReversed()), []);
  const [first, , third] = NODES;
  assert.deepEqual(peers.update([first!, third!]), ["a"]);
  assert.deepEqual(peers.of("a"), ["2001:db8::2"]);
  const moved = nodeOf("worker2", { a: { vtep: "2001:db8::2" }, b: { vtep: "2001:db8::9" } });
  assert.deepEqual(peers.update([first!, moved]), ["b"]);
  assert.deepEqual(peers.update([]), ["a", "b"]);
});

Deno.test("ClusterPeers.restore() brings back what was remembered", () => {
  const before = new ClusterPeers("worker1");
  before.update(NODES);
  const peers = new ClusterPeers("worker1");
  assert.deepEqual(peers.restore(before.peers), ["a", "b"]);
  assert.deepEqual(peers.of("a"), before.of("a"));
  assert.deepEqual(peers.update(NODES), []);
});
