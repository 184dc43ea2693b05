import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ControllerStage } from "../../tests/support/controller_stage.ts";
import { until } from "../../tests/support/until.ts";
import {
  LAN_FINALIZER,
  LAN_UID_LABEL,
  MANAGED_BY_LABEL,
  RESOURCE_NAME_ANNOTATION,
} from "../api/names.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import {
  LAN_NODES,
  LANS,
  LEASES,
  NAMESPACES,
  NETWORK_ATTACHMENT_DEFINITIONS,
  NODES,
} from "../kube/resources.ts";

const OF_A = ["default/a-any", "default/a1", "default/a1-veth", "default/a2", "default/a2-veth"];

Deno.test("Controller makes a LAN's network attachment definitions and status", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const { metadata: { uid } } = await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  deepEqual(await stage.networks(), OF_A);
  const macvtap = await stage.network("default/a1");
  deepEqual(JSON.parse(macvtap?.spec?.config ?? ""), {
    ...{ cniVersion: "1.0.0", name: "a1", type: "k8slan" },
    ...{ lan: "default/a", spoke: "a1", attach: "macvtap" },
  });
  deepEqual(macvtap?.metadata.annotations, {
    [RESOURCE_NAME_ANNOTATION]: "macvtap.k8slan.io/a1",
  });
  deepEqual(macvtap?.metadata.labels, { [MANAGED_BY_LABEL]: "k8slan", [LAN_UID_LABEL]: uid });
  equal((await stage.network("default/a1-veth"))?.metadata.annotations, undefined);
  const { status, metadata } = await stage.get("a");
  deepEqual(metadata.finalizers, [LAN_FINALIZER]);
  deepEqual(
    status?.conditions?.map(({ type, status, reason }) => `${type} ${status}/${reason}`),
    [
      "Accepted True/Accepted",
      "NetworksReady True/Ready",
      "NodesReady True/NothingAttached",
      "InUse False/NothingAttached",
      "Connected Unknown/NothingAttached",
      "Ready True/Ready",
    ],
  );
  const { spokes, attached, nodes, observedGeneration } = status ?? {};
  deepEqual({ spokes, attached, nodes, observedGeneration }, {
    ...{ spokes: 2, attached: 0, nodes: 0, observedGeneration: 1 },
  });
  await until("events", async () => (await stage.events("a")).length === 2);
  deepEqual(await stage.events("a"), ["Accepted", "NetworksReady"]);
  deepEqual(stage.log.messages("warn"), []);
});

Deno.test("Controller writes nothing more when all is as it shall be", async () => {
  await using stage = await ControllerStage.open();
  const { stop } = stage.start("one");
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  await until("events", async () => (await stage.events("a")).length === 2);
  await stop();
  const since = stage.api.calls.length;
  stage.start("two");
  await stage.create("b");
  await stage.says("b", "Ready", "True/Ready");
  const writes = stage.api.calls.slice(since).filter((call) => !/^(get|list|watch) /.test(call));
  deepEqual(writes.filter((call) => / default\/a/.test(call)), []);
});

Deno.test("Controller accepts the older of two LANs, and the other when that one is gone", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  await stage.create("b", { spokes: ["a2", "b1"] });
  await stage.says("b", "Accepted", "False/Conflict");
  match(await stage.message("b", "Accepted"), /spoke "a2" belongs to LAN "default\/a"/);
  match(await stage.message("b", "Ready"), /spoke "a2" belongs to LAN "default\/a"/);
  equal(await stage.condition("b", "NetworksReady"), "False/Pending");
  deepEqual(await stage.networks(), OF_A);
  await stage.delete("a");
  await stage.isGone("a");
  await stage.says("b", "Ready", "True/Ready", 2_000);
  await stage.hasNetworks(
    "default/a2",
    "default/a2-veth",
    "default/b-any",
    "default/b1",
    "default/b1-veth",
  );
  await until("events", async () => (await stage.events("b")).length === 3);
  deepEqual(await stage.events("b"), ["Accepted", "Conflict", "NetworksReady"]);
});

Deno.test("Controller says what is wrong with an invalid LAN, and lets it be mended and deleted", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.create("a", { vni: 0 });
  await stage.says("a", "Accepted", "False/Invalid");
  match(await stage.message("a", "Accepted"), /spec\.vni must be at least 1, found 0/);
  equal((await stage.get("a")).status?.spokes, undefined);
  await stage.change("a", { vni: 7 });
  await stage.says("a", "Ready", "True/Ready");
  await stage.change("a", { vni: 0 });
  await stage.says("a", "Accepted", "False/Invalid");
  await stage.hasNetworks();
  equal((await stage.get("a")).status?.spokes, undefined);
  await stage.delete("a");
  await stage.isGone("a");
});

Deno.test("Controller follows a change of the spokes and the namespaces", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.create("a");
  await stage.hasNetworks(...OF_A);
  await stage.change("a", { spokes: ["a2"] });
  await stage.hasNetworks("default/a-any", "default/a2", "default/a2-veth");
  await stage.addNamespace("blue");
  await stage.change("a", { namespaces: ["blue"], spokes: [] });
  await stage.hasNetworks("blue/a-any");
  await stage.says("a", "Ready", "True/Ready");
});

Deno.test("Controller names a namespace that is missing, and offers the LAN there when it comes", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.create("a", { spokes: [], namespaces: ["default", "blue", "green"] });
  await stage.says("a", "NetworksReady", "False/NamespaceMissing");
  match(await stage.message("a", "NetworksReady"), /"blue", "green" do not exist/);
  await stage.hasNetworks("default/a-any");
  await stage.addNamespace("blue");
  await stage.hasNetworks("blue/a-any", "default/a-any");
  await stage.addNamespace("green");
  await stage.says("a", "Ready", "True/Ready");
  // As the API server does it: the objects go with their namespace.
  await stage.api.delete(NAMESPACES, { name: "blue" });
  await stage.api.delete(NETWORK_ATTACHMENT_DEFINITIONS, { namespace: "blue", name: "a-any" });
  await stage.says("a", "NetworksReady", "False/NamespaceMissing");
  deepEqual(await stage.networks(), ["default/a-any", "green/a-any"]);
});

Deno.test("Controller repairs what others changed or deleted", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const { metadata: { uid } } = await stage.create("a", { spokes: ["a1"] });
  await stage.says("a", "Ready", "True/Ready");
  const key = { namespace: "default", name: "a1" };
  const changes = [
    { spec: { config: "{}" } },
    { metadata: { annotations: { [RESOURCE_NAME_ANNOTATION]: "other/thing" } } },
    { metadata: { annotations: null } },
  ];
  const before = await stage.network("default/a1");
  for (const body of changes) {
    await stage.api.patch(NETWORK_ATTACHMENT_DEFINITIONS, key, { type: "merge", body });
    await until(`repaired after ${JSON.stringify(body)}`, async () => {
      const { metadata, spec } = (await stage.network("default/a1"))!;
      return spec?.config === before?.spec?.config &&
        metadata.annotations?.[RESOURCE_NAME_ANNOTATION] === "macvtap.k8slan.io/a1" &&
        metadata.labels?.[MANAGED_BY_LABEL] === "k8slan";
    });
  }
  await stage.api.delete(NETWORK_ATTACHMENT_DEFINITIONS, key);
  await until("made anew", async () => await stage.network("default/a1") !== undefined);
  // A resource on a veth would have each pod ask for a device.
  const veth = { namespace: "default", name: "a1-veth" };
  const body = { metadata: { annotations: { [RESOURCE_NAME_ANNOTATION]: "a/b", kept: "yes" } } };
  await stage.api.patch(NETWORK_ATTACHMENT_DEFINITIONS, veth, { type: "merge", body });
  await until("the annotation is gone", async () => {
    const { annotations } = (await stage.network("default/a1-veth"))!.metadata;
    return annotations?.[RESOURCE_NAME_ANNOTATION] === undefined && annotations?.["kept"] === "yes";
  });
  equal((await stage.network("default/a1"))?.metadata.labels?.[LAN_UID_LABEL], uid);
});

Deno.test("Controller repairs what others wrote into the status", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  const body = { status: { attached: 7, conditions: [] } };
  const key = { namespace: "default", name: "a" };
  await stage.api.patch(LANS, key, { type: "merge", body }, { subresource: "status" });
  await stage.says("a", "Ready", "True/Ready");
  equal((await stage.get("a")).status?.attached, 0);
});

Deno.test("Controller leaves others' network attachment definitions alone and names them", async () => {
  await using stage = await ControllerStage.open();
  const config = '{"type":"bridge"}';
  const labels = { [MANAGED_BY_LABEL]: "k8slan" };
  await stage.api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: { namespace: "default", name: "a1" },
    spec: { config },
  });
  await stage.api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: { namespace: "default", name: "a2", labels },
    spec: { config },
  });
  stage.start();
  await stage.create("a");
  await stage.says("a", "NetworksReady", "False/NameTaken");
  match(await stage.message("a", "NetworksReady"), /2 .*"default\/a1", "default\/a2"/);
  equal((await stage.network("default/a1"))?.spec?.config, config);
  equal((await stage.network("default/a2"))?.spec?.config, config);
  deepEqual(await stage.networks(), OF_A);
  for (const name of ["a1", "a2"]) {
    await stage.api.delete(NETWORK_ATTACHMENT_DEFINITIONS, { namespace: "default", name });
  }
  await stage.says("a", "Ready", "True/Ready");
  // Without its label it is not the controller's any more.
  const key = { namespace: "default", name: "a1-veth" };
  const body = { metadata: { labels: { [MANAGED_BY_LABEL]: null } }, spec: { config } };
  await stage.api.patch(NETWORK_ATTACHMENT_DEFINITIONS, key, { type: "merge", body });
  await stage.says("a", "NetworksReady", "False/NameTaken");
  equal((await stage.network("default/a1-veth"))?.spec?.config, config);
  await stage.api.delete(NETWORK_ATTACHMENT_DEFINITIONS, key);
  await stage.says("a", "Ready", "True/Ready");
  await stage.delete("a");
  await stage.isGone("a");
  await stage.hasNetworks();
});

Deno.test("Controller names the LAN whose network attachment definition is in the way", async () => {
  await using stage = await ControllerStage.open();
  await stage.addNamespace("blue");
  stage.start();
  await stage.create("a", { spokes: [] });
  await stage.says("a", "Ready", "True/Ready");
  const twin = { ns: "other", vni: 9, spokes: [], namespaces: ["default"] };
  await stage.create("a", twin, "blue");
  await until("it is named", async () => {
    return /"default\/a-any" \(of LAN "default\/a"\)/.test(
      await stage.message("a", "NetworksReady", "blue"),
    );
  });
  await stage.delete("a");
  await stage.isGone("a");
  await until("the other one has it", async () => {
    return await stage.condition("a", "Ready", "blue") === "True/Ready";
  }, { timeout: 2_000 });
});

Deno.test("Controller takes over what is left of a LAN that is gone, and deletes the rest", async () => {
  await using stage = await ControllerStage.open();
  for (const name of ["a1", "old"]) {
    await stage.api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
      metadata: {
        ...{ namespace: "default", name },
        labels: { [MANAGED_BY_LABEL]: "k8slan", [LAN_UID_LABEL]: "gone" },
      },
      spec: { config: "{}" },
    });
  }
  stage.start();
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  await stage.hasNetworks(...OF_A);
});

Deno.test("Controller lives without Multus, says so, and notices when it comes", async () => {
  await using stage = await ControllerStage.open();
  let isMissing = true;
  stage.api.onCall = (verb, { plural }) => {
    if (isMissing && plural === NETWORK_ATTACHMENT_DEFINITIONS.plural) {
      throw kubeErrorOf(verb, 404, "404 page not found");
    }
  };
  stage.start();
  const lan = await stage.create("a");
  await stage.says("a", "NetworksReady", "False/MultusMissing");
  equal(await stage.condition("a", "Accepted"), "True/Accepted");
  await stage.addNode("n1");
  await stage.attach("n1", lan, "a1");
  await stage.says("a", "InUse", "True/Attached");
  await stage.create("b");
  await stage.says("b", "NetworksReady", "False/MultusMissing");
  await stage.delete("b");
  await stage.isGone("b");
  isMissing = false;
  await stage.says("a", "Ready", "True/Ready");
  isMissing = true;
  stage.api.endWatches();
  await stage.says("a", "NetworksReady", "False/MultusMissing");
  isMissing = false;
  await stage.says("a", "Ready", "True/Ready");
  deepEqual(stage.log.messages("warn"), []);
});

Deno.test("Controller adds up what the nodes report", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const lan = await stage.create("a");
  for (const node of ["n1", "n2"]) await stage.addNode(node);
  await stage.attach("n1", lan, "a1");
  await stage.says("a", "InUse", "True/Attached");
  await stage.attach("n2", lan, "a2");
  await until("two", async () => (await stage.get("a")).status?.attached === 2);
  equal((await stage.get("a")).status?.nodes, 2);
  equal(
    await stage.message("a", "InUse"),
    'pod "default/a1" (spoke "a1") on node "n1", pod "default/a2" (spoke "a2") on node "n2"',
  );
  const { namespace = "", name, uid } = lan.metadata;
  await stage.report("n2", {
    lans: [{
      ...{ namespace, name, uid, attached: 0, ready: false },
      conditions: [{ reason: "UnderlayMissing", message: 'Device "eth1" does not exist' }],
    }],
  });
  await stage.says("a", "NodesReady", "False/Degraded");
  match(await stage.message("a", "Ready"), /node "n2": UnderlayMissing: Device "eth1"/);
  await stage.report("n2", {});
  await stage.says("a", "NodesReady", "True/Ready");
  await until("events", async () => (await stage.events("a")).length === 4);
  deepEqual(await stage.events("a"), ["Accepted", "Degraded", "NetworksReady", "Recovered"]);
});

Deno.test("Controller tells of a spoke that is held on two nodes, once, until one lets go", async () => {
  await using stage = await ControllerStage.open();
  const { stop } = stage.start("one");
  for (const node of ["n1", "n2"]) await stage.addNode(node);
  const lan = await stage.create("a");
  await stage.hold(lan, "a1", { n1: { name: "p", uid: "1" }, n2: { name: "q", uid: "2" } });
  await stage.says("a", "Ready", "False/SpokeShared");
  equal(
    await stage.message("a", "NodesReady"),
    'Spoke "a1" is held on 2 nodes at once, by pod "default/p" on node "n1" and ' +
      'pod "default/q" on node "n2": delete one of them',
  );
  await until("events", async () => (await stage.events("a")).includes("SpokeShared"));
  await stop();
  const since = stage.api.calls.length;
  stage.start("two");
  await stage.create("b");
  await stage.says("b", "Ready", "True/Ready");
  const writes = stage.api.calls.slice(since).filter((call) => /^patch .* default\/a/.test(call));
  deepEqual(writes, []);
  await stage.hold(lan, "a1", { n2: undefined });
  await stage.says("a", "Ready", "True/Ready");
  await until("events", async () => (await stage.events("a")).includes("Recovered"));
  deepEqual((await stage.events("a")).filter((reason) => reason === "SpokeShared").length, 1);
});

Deno.test("Controller tells of a node that is not ready, until it is again", async () => {
  await using stage = await ControllerStage.open();
  const { stop } = stage.start("one");
  for (const node of ["n1", "n2"]) await stage.addNode(node);
  const [a, b] = [await stage.create("a"), await stage.create("b")];
  await stage.attach("n1", a, "a1");
  await stage.attach("n2", b, "b1");
  await stage.says("a", "NodesReady", "True/Ready");
  await stage.beat("n1", "Unknown");
  await stage.says("a", "Ready", "False/NodeNotReady");
  match(
    await stage.message("a", "NodesReady"),
    /^Node "n1" \(nothing .* since 2026-02-01T.*\) is /,
  );
  // It counts as before: nobody knows that nothing is attached there.
  const { attached, nodes } = (await stage.get("a")).status ?? {};
  deepEqual({ attached, nodes }, { attached: 1, nodes: 1 });
  equal(await stage.condition("b", "Ready"), "True/Ready");
  await until("events", async () => (await stage.events("a")).includes("NodeNotReady"));
  await stop();
  const since = stage.api.calls.length;
  stage.start("two");
  await stage.create("c");
  await stage.says("c", "Ready", "True/Ready");
  const writes = stage.api.calls.slice(since).filter((call) => /^patch .* default\/a/.test(call));
  deepEqual(writes, []);
  await stage.beat("n1", "True");
  await stage.says("a", "Ready", "True/Ready");
  await until("events", async () => (await stage.events("a")).includes("Recovered"));
  await stage.beat("n2", "False");
  await stage.says("b", "Ready", "False/NodeNotReady");
  equal(await stage.condition("a", "Ready"), "True/Ready");
  equal((await stage.events("a")).filter((reason) => reason === "NodeNotReady").length, 1);
});

Deno.test("Controller tells of a node whose agent stays away, unless agents have no pods at all", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  const lan = await stage.create("a");
  for (const node of ["n1", "n2"]) await stage.addNode(node);
  await stage.attach("n1", lan, "a1");
  await stage.says("a", "NodesReady", "True/Ready");
  await stage.setAgent("n2", true);
  await stage.says("a", "Ready", "False/AgentNotReady");
  match(await stage.message("a", "NodesReady"), /^The agent of node "n1" .*-n k8slan-system get /);
  await stage.setAgent("n1", true);
  await stage.says("a", "Ready", "True/Ready");
  await stage.setAgent("n1", false);
  await stage.says("a", "Ready", "False/AgentNotReady");
  // Where the node itself is not ready, its pods are no news.
  await stage.beat("n1", "Unknown");
  await stage.says("a", "Ready", "False/NodeNotReady");
  equal(/agent of node/.test(await stage.message("a", "NodesReady")), false);
  await stage.beat("n1", "True");
  await stage.says("a", "Ready", "True/Ready");
  await stage.says("a", "Ready", "False/AgentNotReady");
  for (const node of ["n1", "n2"]) await stage.deleteAgent(node);
  await stage.says("a", "Ready", "True/Ready");
});

Deno.test("Controller makes a LAN's deletion wait for what is attached, and names it", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.addNode("n1");
  const lan = await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  await stage.attach("n1", lan, "a1", "a2");
  await stage.says("a", "InUse", "True/Attached");
  await stage.delete("a");
  await stage.says("a", "Ready", "False/Deleting");
  match(await stage.message("a", "Ready"), /waits for 2 workloads: pod "default\/a1" .*"n1"/);
  await stage.hasNetworks();
  await stage.beat("n1", "Unknown");
  await until("the node", async () => {
    return /; Node "n1" .* is not ready: /.test(await stage.message("a", "Ready"));
  });
  await stage.beat("n1", "True");
  await stage.attach("n1", lan, "a2");
  await until("one", async () => /waits for 1 workload:/.test(await stage.message("a", "Ready")));
  await stage.attach("n1", lan);
  await stage.isGone("a");
  ok((await stage.events("a")).includes("Deleting"));
});

Deno.test("Controller lets nothing wait for a node that is gone, or out of service", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  for (const node of ["n1", "n2"]) await stage.addNode(node);
  const [a, b] = [await stage.create("a"), await stage.create("b")];
  await stage.attach("n1", a, "a1");
  await stage.attach("n2", b, "b1");
  for (const name of ["a", "b"]) {
    await stage.says(name, "InUse", "True/Attached");
    await stage.delete(name);
    await stage.says(name, "Ready", "False/Deleting");
  }
  await stage.api.delete(NODES, { name: "n1" });
  await stage.isGone("a");
  const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
  await stage.api.patch(NODES, { name: "n2" }, { type: "merge", body: { spec: { taints } } });
  await stage.isGone("b");
  await until(
    "LANNodes are gone",
    async () => (await stage.api.list(LAN_NODES)).items.length === 0,
  );
});

Deno.test("Controller deletes the LANNode of a living agent on a dead node once a minute at most", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.addNode("n1");
  const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
  await stage.api.patch(NODES, { name: "n1" }, { type: "merge", body: { spec: { taints } } });
  const deletions = () => stage.api.calls.filter((call) => call.startsWith("delete lannodes"));
  await stage.report("n1", {});
  await until("it is deleted", () => deletions().length === 1);
  await stage.report("n1", {});
  const lan = await stage.create("a");
  await stage.attach("n1", lan, "a1");
  await stage.says("a", "Ready", "True/Ready");
  equal(deletions().length, 1);
  equal((await stage.get("a")).status?.attached, 0);
  await until("it is deleted again", () => deletions().length === 2);
});

Deno.test("Controller gives each LANNode to its node", async () => {
  await using stage = await ControllerStage.open();
  stage.start();
  await stage.addNode("n1");
  await stage.report("n1", {});
  const node = (await stage.api.get(NODES, { name: "n1" }))!;
  await until("it has an owner", async () => {
    const owners = (await stage.api.get(LAN_NODES, { name: "n1" }))?.metadata.ownerReferences;
    return owners?.[0]?.uid === node.metadata.uid && owners[0].kind === "Node";
  });
});

Deno.test("Controller leads alone, and another takes over at once when it ends", async () => {
  await using stage = await ControllerStage.open();
  const one = stage.start("one");
  await until("it leads", () => one.controller.isLeader);
  const two = stage.start("two");
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  await until("two is warm", () => two.controller.view.isSynced);
  ok(!two.controller.isLeader);
  await one.stop();
  equal(await one.ended, "ended");
  await stage.create("b");
  await stage.says("b", "Ready", "True/Ready");
  ok(two.controller.isLeader);
  ok(!one.controller.isLeader);
});

Deno.test("Controller ends when it loses its lease, and writes no more", async () => {
  await using stage = await ControllerStage.open();
  const one = stage.start("one");
  await stage.create("a");
  await stage.says("a", "Ready", "True/Ready");
  stage.api.onCall = (verb, { plural }) => {
    if (plural === LEASES.plural) throw kubeErrorOf(verb, 500, "as a test");
  };
  equal(await one.ended, "lost");
  const calls = stage.api.calls.length;
  await stage.create("b");
  equal(stage.api.calls.length, calls + 1);
});

Deno.test("Controller tries again what the API server refuses, and says so meanwhile", async () => {
  await using stage = await ControllerStage.open();
  let isBroken = true;
  stage.api.onCall = (verb, { plural }) => {
    if (isBroken && verb === "create" && plural === NETWORK_ATTACHMENT_DEFINITIONS.plural) {
      throw kubeErrorOf(verb, 403, { kind: "Status", reason: "Forbidden", message: "quota" });
    }
  };
  const { controller } = stage.start();
  await stage.create("a");
  await stage.says("a", "NetworksReady", "False/Pending");
  match(await stage.message("a", "NetworksReady"), /5 of 5 .*403 Forbidden: quota/);
  ok(controller.counters.failures > 0);
  isBroken = false;
  await stage.says("a", "Ready", "True/Ready");
});

Deno.test("Controller copes with an API server that fails one call in three", async () => {
  await using stage = await ControllerStage.open();
  let calls = 0;
  stage.api.onCall = (verb, { plural }) => {
    if (plural !== LEASES.plural && verb !== "get" && ++calls % 3 === 0) {
      throw kubeErrorOf(verb, 503, "as a test");
    }
  };
  const anew = async (work: () => Promise<unknown>) =>
    await until("a call", async () => {
      await work();
      return true;
    });
  stage.start();
  for (const name of ["a", "b", "c"]) await anew(() => stage.create(name));
  for (const name of ["a", "b", "c"]) await stage.says(name, "Ready", "True/Ready");
  for (const name of ["a", "b", "c"]) await anew(() => stage.delete(name));
  for (const name of ["a", "b", "c"]) await stage.isGone(name);
  stage.api.onCall = () => {};
  await stage.hasNetworks();
});
