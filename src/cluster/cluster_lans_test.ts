import assert from "node:assert/strict";
import { fastClock } from "../../tests/support/fast_clock.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { attachmentOnNode } from "../../tests/support/lan_node_objects.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import type { AttachmentOnNode } from "../api/lan_node.ts";
import { systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import { LAN_NODES, LANS } from "../kube/resources.ts";
import { ClusterCache } from "./cluster_cache.ts";
import { ClusterLans } from "./cluster_lans.ts";
import { Holders } from "./holders.ts";

const NODE = "worker1";
const LAN_UID = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";

/** The part of an agent that follows `api`, with a state directory. */
class Follower implements AsyncDisposable {
  readonly log = new LogRecorder();
  readonly holders = new Holders(NODE);
  readonly lans: ClusterLans;
  changes = 0;
  holderChanges = 0;
  nodeChanges = 0;
  readonly peerChanges: (readonly string[] | "all")[] = [];
  answers = 0;
  readonly ownNode: (string | undefined)[] = [];
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(api: FakeKubeApi, dir: TempDir, clock = fastClock(50), peerGraceMs = 1) {
    const { holders, log } = this;
    this.lans = new ClusterLans({
      ...{ api, node: NODE, holders, log },
      cache: new ClusterCache(`${dir.path}/cluster.json`, log),
      holdersChanged: () => this.holderChanges++,
      nodesChanged: () => this.nodeChanges++,
      peersChanged: (lanIds) => this.peerChanges.push(lanIds),
      ownNode: (object) => this.ownNode.push(object?.metadata.resourceVersion),
      serverAnswers: () => this.answers++,
      times: { settleMs: 1, saveMs: 1, peerGraceMs },
      clock,
    });
  }

  watch(): this {
    this.#watching = this.lans.watch(() => this.changes++, this.#stop.signal);
    return this;
  }

  get names(): string[] {
    return this.lans.read().lans.map(({ metadata }) => metadata.name);
  }

  get reasons(): string[] {
    return this.lans.read().problems.map(({ reason }) => reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }
}

async function addLan(api: FakeKubeApi, name: string, spec: object = {}): Promise<void> {
  await api.create(LANS, {
    metadata: { name, namespace: "default" },
    spec: { ...seedLan().spec, ...spec },
  });
}

async function report(
  api: FakeKubeApi,
  name: string,
  ...attachments: readonly AttachmentOnNode[]
): Promise<void> {
  await api.create(LAN_NODES, {
    metadata: { name },
    status: { version: "0.1.0", attached: attachments.length, attachments },
  });
}

Deno.test("ClusterLans follows the LANs of all namespaces", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await using agent = new Follower(api, dir).watch();
  await until("the list is taken in", () => agent.names.join() === "a");
  await api.create(LANS, { metadata: { name: "b", namespace: "other" }, spec: seedLan().spec });
  await until("a LAN that comes is", () => agent.names.join() === "a,b");
  await api.delete(LANS, { namespace: "default", name: "a" });
  await until("one that goes is", () => agent.names.join() === "b");
  assert.deepEqual(agent.reasons, []);
});

Deno.test("ClusterLans tells of a long list once", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  for (let n = 0; n < 50; n++) await addLan(api, `lan-${n}`);
  await using agent = new Follower(api, dir).watch();
  await until("it is told", () => agent.changes > 0);
  assert.deepEqual([agent.names.length, agent.changes], [50, 1]);
});

Deno.test("ClusterLans names LANs that are not valid", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "bad", { vni: 0 });
  await addLan(api, "good");
  await using agent = new Follower(api, dir).watch();
  await until("the good one is there", () => agent.names.join() === "good");
  assert.match(
    agent.lans.read().problems[0]!.message,
    /^LAN "default\/bad" is not valid: spec\.vni/,
  );
  await api.patch(LANS, { namespace: "default", name: "bad" }, {
    type: "merge",
    body: { spec: { vni: 5 } },
  });
  await until("it is mended", () => agent.names.length === 2 && agent.reasons.length === 0);
});

Deno.test("ClusterLans knows at its start what it knew before, without the API server", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await report(api, "worker2", attachmentOnNode(LAN_UID, "pod1", "vm"));
  {
    await using agent = new Follower(api, dir).watch();
    await until("all is known", () => agent.names.length === 1 && agent.holderChanges === 1);
  }
  const before = api.calls.length;
  const agent = new Follower(api, dir);
  assert.deepEqual(agent.names, ["a"]);
  assert.deepEqual(agent.reasons, []);
  assert.equal(agent.holders.elsewhere(LAN_UID, "pod1")?.node, "worker2");
  assert.equal(api.calls.length, before);
});

Deno.test("ClusterLans learns what went away while no agent ran", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await addLan(api, "b");
  await report(api, "worker2", attachmentOnNode(LAN_UID, "pod1"));
  await report(api, "worker3", attachmentOnNode(LAN_UID, "pod2"));
  {
    await using agent = new Follower(api, dir).watch();
    await until("all is known", () => agent.names.length === 2 && agent.holders.held.length === 2);
  }
  await api.delete(LANS, { namespace: "default", name: "a" });
  await api.delete(LAN_NODES, { name: "worker2" });
  await using agent = new Follower(api, dir).watch();
  await until("the LAN is gone", () => agent.names.join() === "b");
  await until("so is the holder", () => agent.holders.elsewhere(LAN_UID, "pod1") === undefined);
  assert.equal(agent.holders.elsewhere(LAN_UID, "pod2")?.node, "worker3");
});

Deno.test("ClusterLans is not taken in by a server that has suddenly lost everything", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await report(api, "worker2", attachmentOnNode(LAN_UID, "pod1"));
  {
    await using agent = new Follower(api, dir).watch();
    await until("all is known", () => agent.names.length === 1 && agent.holders.held.length === 1);
  }
  await using agent = new Follower(new FakeKubeApi(), dir, systemClock).watch();
  await until("it is noticed", () => agent.reasons.join() === "SuddenlyEmpty");
  assert.deepEqual(agent.names, ["a"]);
  assert.equal(agent.holders.elsewhere(LAN_UID, "pod1")?.node, "worker2");
});

Deno.test("ClusterLans says what it waits for while it has never known a LAN", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  let isDown = true;
  api.onCall = () => {
    if (isDown) throw kubeErrorOf("list lans", 403, "no role");
  };
  await using agent = new Follower(api, dir).watch();
  assert.deepEqual(agent.reasons, ["LansUnknown"]);
  await until("it knows why", () => agent.reasons.join() === "LansUnknown,Forbidden");
  assert.throws(() => Deno.statSync(`${dir.path}/cluster.json`), Deno.errors.NotFound);
  isDown = false;
  const { changes } = agent;
  await until("all is well", () => agent.reasons.length === 0 && agent.changes > changes);
  assert.deepEqual(agent.log.messages("info"), [
    "The API server answers again",
    "The API server answers again",
  ]);
});

Deno.test("ClusterLans keeps what it knows while the API server is away, and says so", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await using agent = new Follower(api, dir).watch();
  await until("all is known", () => agent.names.length === 1);
  api.onCall = () => {
    throw new K8slanError("ApiServerUnreachable", "nobody there", { retriable: true });
  };
  api.endWatches();
  await until("it is noticed", () => agent.reasons.join() === "ApiServerUnreachable");
  assert.deepEqual(agent.names, ["a"]);
});

Deno.test("ClusterLans follows what other nodes hold, and leaves its own node out", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await report(api, NODE, attachmentOnNode(LAN_UID, "pod2"));
  await report(api, "worker2", attachmentOnNode(LAN_UID, undefined, "any"));
  await using agent = new Follower(api, dir).watch();
  const attach = (...attachments: AttachmentOnNode[]) =>
    api.patch(LAN_NODES, { name: "worker2" }, { type: "merge", body: { status: { attachments } } });
  await attach(attachmentOnNode(LAN_UID, "pod1", "vm"));
  await until("a spoke is held", () => agent.holders.elsewhere(LAN_UID, "pod1") !== undefined);
  assert.deepEqual(agent.holders.held.map(({ spoke }) => spoke), ["pod1"]);
  await attach();
  await until("it is free", () => agent.holders.held.length === 0);
  assert.equal(agent.holderChanges, 2);
});

Deno.test("ClusterLans writes nothing for a status that changes", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await using agent = new Follower(api, dir).watch();
  const file = () => Deno.statSync(`${dir.path}/cluster.json`).ino;
  const before = await until("it is written", file);
  await api.patch(LANS, { namespace: "default", name: "a" }, {
    type: "merge",
    body: { status: { attached: 1 } },
  }, { subresource: "status" });
  const { changes } = agent;
  await addLan(api, "b", { vni: 5 });
  await until("the next LAN is taken in", () => agent.changes > changes);
  await until("and written", () => file() !== before);
  assert.equal(agent.changes, changes + 1);
});

Deno.test("ClusterLans follows and remembers which spokes VMs take along", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  const migration = {
    spoke: "pod1",
    from: { node: "worker2", namespace: "lab", name: "old", uid: "u1" },
    to: { namespace: "lab", name: "new", uid: "u2" },
  };
  const tell = (migrations: readonly object[]) =>
    api.patch(LANS, { namespace: "default", name: "a" }, {
      type: "merge",
      body: { status: { migrations } },
    }, { subresource: "status" });
  {
    await using agent = new Follower(api, dir).watch();
    await until("the LAN is known", () => agent.names.length === 1);
    await tell([migration]);
    await until("it migrates", () => agent.lans.migrations.open.length === 1);
    assert.equal(agent.holderChanges, 1);
  }
  const agent = new Follower(api, dir);
  assert.deepEqual(agent.lans.migrations.open.map(({ to }) => to.name), ["new"]);
  await tell([]);
  await using following = new Follower(api, dir).watch();
  await until("that is over", () => following.lans.migrations.open.length === 0);
});

Deno.test("ClusterLans passes on what becomes of its own node's object", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await report(api, NODE);
  await using agent = new Follower(api, dir).watch();
  await until("it is seen", () => agent.ownNode.length === 1);
  await api.delete(LAN_NODES, { name: NODE });
  await until("it is seen to go", () => agent.ownNode.length === 2);
  assert.equal(agent.ownNode[1], undefined);
  // Both lists, and both watches.
  assert.ok(agent.answers >= 4);
});

/** A node where something is attached to the README's LAN. */
function peerStatus(vtep: string | undefined) {
  const lan = {
    ...{ namespace: "k8slan-system", name: "lan-test", uid: LAN_UID, attached: 1, ready: true },
    ...(vtep === undefined ? {} : { vtep }),
  };
  return { version: "0.1.0", attached: 1, lans: [lan] };
}

async function addPeer(api: FakeKubeApi, name: string, vtep: string): Promise<void> {
  await api.create(LAN_NODES, { metadata: { name }, status: peerStatus(vtep) });
}

Deno.test("ClusterLans knows no peers before it has heard of all nodes, nor says there are none", () => {
  using dir = new TempDir();
  assert.equal(new Follower(new FakeKubeApi(), dir).lans.peers(LAN_UID), "unknown");
});

Deno.test("ClusterLans follows the addresses of other nodes, and tells whose LANs they concern", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addPeer(api, "worker2", "2001:db8::2");
  await addPeer(api, NODE, "2001:db8::1");
  await using agent = new Follower(api, dir).watch();
  await until("the list is taken in", () => agent.peerChanges.length === 1);
  assert.deepEqual(agent.peerChanges, ["all"]);
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::2"]);
  await addPeer(api, "worker3", "2001:db8::3");
  await until("one that comes is", () => agent.lans.peers(LAN_UID).length === 2);
  assert.deepEqual(agent.peerChanges, ["all", [LAN_UID]]);
  await api.delete(LAN_NODES, { name: "worker2" });
  await until("one that goes is", () => agent.lans.peers(LAN_UID).length === 1);
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::3"]);
});

Deno.test("ClusterLans keeps a node as peer whose object is made anew at once", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addPeer(api, "worker2", "2001:db8::2");
  await using agent = new Follower(api, dir, undefined, 60_000).watch();
  await until("it is known", () => agent.peerChanges.length === 1);
  await api.delete(LAN_NODES, { name: "worker2" });
  await addPeer(api, "worker3", "2001:db8::3");
  await until("that has been taken in", () => agent.lans.peers(LAN_UID).includes("2001:db8::3"));
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::2", "2001:db8::3"]);
  await addPeer(api, "worker2", "2001:db8::4");
  await until("so has the new one", () => agent.lans.peers(LAN_UID).includes("2001:db8::4"));
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::3", "2001:db8::4"]);
});

Deno.test("ClusterLans knows peers from before while the API server is away, and drops who went meanwhile", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi();
  await addLan(api, "a");
  await addPeer(api, "worker2", "2001:db8::2");
  await addPeer(api, "worker3", "2001:db8::3");
  {
    await using agent = new Follower(api, dir).watch();
    await until("all is known", () => agent.lans.peers(LAN_UID).length === 2 && agent.names[0]);
  }
  await api.delete(LAN_NODES, { name: "worker2" });
  await using agent = new Follower(api, dir);
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::2", "2001:db8::3"]);
  agent.watch();
  await until("the server has told", () => agent.lans.peers(LAN_UID).length === 1);
  assert.deepEqual(agent.lans.peers(LAN_UID), ["2001:db8::3"]);
});
