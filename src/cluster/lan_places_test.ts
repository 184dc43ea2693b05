import { deepEqual } from "node:assert/strict";
import type { LanOnNode } from "../api/lan_node.ts";
import { API_VERSION } from "../api/names.ts";
import type { LanNodeObject } from "../kube/resources.ts";
import { lanPlaces } from "./lan_places.ts";

function node(name: string, lans: readonly (readonly [string, number])[]): LanNodeObject {
  const metadata = { name, uid: "u", resourceVersion: "1", creationTimestamp: "" };
  const entries = lans.map(([uid, attached]): LanOnNode => (
    { namespace: "red", name: uid, uid, attached, ready: true }
  ));
  const status = { version: "", attached: 0, lans: entries };
  return { apiVersion: API_VERSION, kind: "LANNode", metadata, status };
}

Deno.test("lanPlaces() names the nodes that something is attached on", () => {
  const places = lanPlaces([
    node("n1", [["a", 1], ["b", 0]]),
    node("n2", [["a", 3], ["c", 1]]),
    node("n3", []),
  ]);
  const found = [...places].map(([id, names]) => [id, [...names]]);
  deepEqual(found, [["a", ["n1", "n2"]], ["c", ["n2"]]]);
});
