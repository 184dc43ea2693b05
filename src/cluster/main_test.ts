import assert from "node:assert/strict";
import { AgentParts as Parts, podArgs } from "../../tests/support/agent_parts.ts";
import { codeIs } from "../../tests/support/codes.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { FakeKubelet } from "../../tests/support/fake_kubelet.ts";
import { attachmentOnNode, lanNodeObject } from "../../tests/support/lan_node_objects.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import type { Clock } from "../base/clock.ts";
import { noProbes } from "../agent/probes.ts";
import { tapIndex } from "../plan/identity.ts";
import { LAN_NODES, LANS } from "../kube/resources.ts";
import { ClusterMembership, joinCluster } from "./main.ts";

const RESOURCE = "macvtap.k8slan.io/pod1";

/** An agent's part in the cluster of `api`, beside a fake kubelet, wired as `agentMain` wires it. */
class Member implements AsyncDisposable {
  readonly parts = new Parts([]);
  readonly membership: ClusterMembership;
  readonly looks: string[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(api: FakeKubeApi, dir: TempDir, clock?: Clock) {
    const { kernel, registry, attachments, taps, drift, reconciler, log } = this.parts;
    const client = Object.assign(api, { [Symbol.dispose]: () => {} });
    this.membership = new ClusterMembership(client, options(dir), {
      node: { name: this.parts.node, netnsDir: kernel.netnsDir },
      stateDir: dir.path,
      ...{ kernel, registry, attachments, taps, drift, log },
      look: (lanId) => this.looks.push(lanId),
      conditions: (lanId) => reconciler.conditions(lanId),
      probes: noProbes(() => false),
      problems: () => [...this.membership.lans.read().problems, ...this.membership.problems()],
    }, clock);
    this.read();
    const { signal } = this.#stop;
    this.#running = Promise.all([
      this.membership.lans.watch(() => this.read(), signal),
      this.membership.run(signal),
    ]);
  }

  read(): void {
    this.parts.registry.replace(this.membership.lans.read().lans);
    this.membership.lansChanged();
    this.membership.changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.membership[Symbol.dispose]();
    this.parts[Symbol.dispose]();
  }
}

function options({ path }: TempDir) {
  return { kubeletDir: path, cniBinDir: `${path}/bin`, env: () => undefined };
}

function startedKubelet(dir: TempDir): FakeKubelet {
  const kubelet = new FakeKubelet(dir.path);
  kubelet.start();
  return kubelet;
}

async function cluster(): Promise<FakeKubeApi> {
  const api = new FakeKubeApi({ withStatus: ["lans.lan.k8slan.io", "lannodes.lan.k8slan.io"] });
  const { spec } = seedLan();
  await api.create(LANS, { metadata: { name: "lan-test", namespace: "default" }, spec });
  return api;
}

async function reportOf(api: FakeKubeApi, name: string) {
  return (await api.get(LAN_NODES, { name }))?.status;
}

Deno.test("ClusterMembership offers a LAN's spokes, and withdraws them when it is being deleted", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  const api = await cluster();
  const key = { namespace: "default", name: "lan-test" };
  const body = { metadata: { finalizers: ["lan.k8slan.io/attachments"] } };
  await api.patch(LANS, key, { type: "merge", body });
  await using member = new Member(api, dir);
  await until("the spokes can be had", () => kubelet.allocatable === 2);
  const { container_responses: [answer] } = await kubelet.allocate(RESOURCE, "pod1");
  const path = `/dev/tap${tapIndex(member.parts.node, "pod1", 0)}`;
  assert.deepEqual(answer?.devices.map(({ host_path }) => host_path), [path]);
  await api.delete(LANS, key);
  await until("they cannot any more", () => kubelet.allocatable === 0);
});

Deno.test("ClusterMembership has a spoke unhealthy while another node holds it", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  const api = await cluster();
  await using member = new Member(api, dir);
  await until("the spokes can be had", () => kubelet.allocatable === 2);
  const { uid } = member.membership.lans.read().lans[0]!.metadata;
  const { status } = lanNodeObject("worker2", [attachmentOnNode(uid, "pod1", "vm")]);
  await api.create(LAN_NODES, { metadata: { name: "worker2" } });
  const at = { name: "worker2" };
  await api.patch(LAN_NODES, at, { type: "merge", body: { status } }, { subresource: "status" });
  await until("one is left", () => kubelet.count(RESOURCE)?.allocatable === 0);
  assert.equal(kubelet.allocatable, 1);
  await assert.rejects(
    member.membership.gate.admit({ lan: seedLan({}, uid), spoke: "pod1", attach: "veth" }),
    codeIs("SpokeInUse"),
  );
  await api.delete(LAN_NODES, at);
  await until("both can be had again", () => kubelet.allocatable === 2);
});

Deno.test("ClusterMembership has a spoke healthy for the node that its VM moves to", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  const api = await cluster();
  const member = new Member(api, dir);
  const { node } = member.parts;
  await until("the spokes can be had", () => kubelet.allocatable === 2);
  const { uid } = member.membership.lans.read().lans[0]!.metadata;
  const { status } = lanNodeObject("worker2", [attachmentOnNode(uid, "pod1", "vm")]);
  await api.create(LAN_NODES, { metadata: { name: "worker2" } });
  const at = { name: "worker2" };
  await api.patch(LAN_NODES, at, { type: "merge", body: { status } }, { subresource: "status" });
  const healthy = () => kubelet.count(RESOURCE)?.allocatable === 1;
  await until("one is left", () => !healthy());
  const tell = (migrations: unknown) => {
    const key = { namespace: "default", name: "lan-test" };
    const body = { status: { migrations } };
    return api.patch(LANS, key, { type: "merge", body }, { subresource: "status" });
  };
  const from = { node: "worker2", namespace: "lab", name: "vm", uid: "uid-of-vm" };
  const to = { namespace: "default", name: "next", uid: "u-next" };
  await tell([{ spoke: "pod1", from, to }]);
  await until("the VM may come here", healthy);
  await tell([{ spoke: "pod1", from, to: { ...to, node: "worker3" } }]);
  await until("it goes elsewhere", () => !healthy());
  await tell([{ spoke: "pod1", from, to: { ...to, node } }]);
  await until("it comes here", healthy);
  const remembered = () => Deno.readTextFileSync(`${dir.path}/cluster.json`).includes(`"${node}"`);
  await until("that is remembered", remembered);
  await member[Symbol.asyncDispose]();
  await until("the agent is missed", () => !healthy());
  // As after a restart, with the API server away.
  const dead = new FakeKubeApi();
  dead.onCall = () => new Promise(() => {});
  const again = new Member(dead, dir);
  await until("it may come still", () => kubelet.allocatable === 2);
  const ask = { lan: seedLan({}, uid), spoke: "pod1", attach: "macvtap" } as const;
  const devices = [{ resource_name: RESOURCE, device_ids: ["pod1"] }];
  kubelet.pods = [to, { ...to, name: "intruder" }].map(({ namespace, name }) => (
    { namespace, name, containers: [{ name: "c", devices }] }
  ));
  await again.membership.gate.admit({ ...ask, pod: to });
  await assert.rejects(
    again.membership.gate.admit({ ...ask, pod: { ...to, name: "intruder", uid: "u-intruder" } }),
    codeIs("SpokeInUse"),
  );
  again.membership[Symbol.dispose]();
  again.parts[Symbol.dispose]();
});

for (const isMoving of [false, true]) {
  const and = isMoving ? "does not warn where its VM moves" : "warns of it once";
  Deno.test(`ClusterMembership keeps a spoke healthy that another node holds as well, and ${and}`, async () => {
    using dir = new TempDir();
    using kubelet = startedKubelet(dir);
    const api = await cluster();
    await using member = new Member(api, dir);
    const { parts, membership } = member;
    await until("the spokes can be had", () => kubelet.allocatable === 2);
    await parts.add({ args: podArgs("default", "next", "u-next") }, { lan: "default/lan-test" });
    membership.changed();
    const { uid } = membership.lans.read().lans[0]!.metadata;
    if (isMoving) {
      const from = { node: "worker2", namespace: "lab", name: "vm", uid: "uid-of-vm" };
      const to = { namespace: "default", name: "next", uid: "u-next" };
      const body = { status: { migrations: [{ spoke: "pod1", from, to }] } };
      const key = { namespace: "default", name: "lan-test" };
      await api.patch(LANS, key, { type: "merge", body }, { subresource: "status" });
      await until("it is known", () => membership.lans.migrations.of(uid, "pod1") !== undefined);
    }
    const attachments = [attachmentOnNode(uid, "pod1", "vm"), attachmentOnNode(uid, "pod2", "vm")];
    const { status } = lanNodeObject("worker2", attachments);
    await api.create(LAN_NODES, { metadata: { name: "worker2" } });
    const at = { name: "worker2" };
    await api.patch(LAN_NODES, at, { type: "merge", body: { status } }, { subresource: "status" });
    await until("the other is taken", () => kubelet.allocatable === 1);
    assert.equal(kubelet.count(RESOURCE)?.allocatable, 1);
    member.read();
    const warnings = parts.log.records.filter(({ msg }) => /^Spoke is held here and on/.test(msg));
    assert.deepEqual(
      warnings.map(({ spoke, pod, other }) => ({ spoke, pod, other })),
      isMoving ? [] : [{
        spoke: "pod1",
        pod: { namespace: "default", name: "next", uid: "u-next" },
        other: { node: "worker2", pod: { namespace: "lab", name: "vm", uid: "uid-of-vm" } },
      }],
    );
  });
}

Deno.test("ClusterMembership offers devices from its memory while the API server is away", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  {
    await using _ = new Member(await cluster(), dir);
    await until("the spokes can be had", () => kubelet.allocatable === 2);
    await until("they are remembered", () => Deno.statSync(`${dir.path}/cluster.json`));
  }
  await until("the agent is missed", () => kubelet.allocatable === 0);
  const dead = new FakeKubeApi();
  dead.onCall = () => new Promise(() => {});
  const member = new Member(dead, dir);
  await until("the spokes can be had again", () => kubelet.allocatable === 2);
  assert.deepEqual(member.membership.lans.read().problems, []);
  member.membership[Symbol.dispose]();
  member.parts[Symbol.dispose]();
});

Deno.test("ClusterMembership reports what is attached, and problems", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  const api = await cluster();
  await using member = new Member(api, dir);
  const { parts, membership } = member;
  const node = parts.node;
  await until("it says something", async () => (await reportOf(api, node))?.attached === 0);
  await parts.add({ args: podArgs("default", "vm") }, { lan: "default/lan-test" });
  membership.changed();
  const said = await until("it says what is attached", async () => {
    const report = await reportOf(api, node);
    return report?.attached === 1 && report;
  });
  assert.deepEqual(said.attachments?.map(({ spoke, pod }) => [spoke, pod?.name]), [["pod1", "vm"]]);
  assert.deepEqual(said.problems ?? [], []);
  const spec = { ...seedLan().spec, vni: 0 };
  await api.create(LANS, { metadata: { name: "bad", namespace: "default" }, spec });
  await until("a LAN is not valid", () => membership.lans.read().problems.length === 1);
  kubelet.kill();
  Deno.removeSync(`${kubelet.folder}/kubelet.sock`);
  await until("it says that kubelet is away", async () => {
    return (await reportOf(api, node))?.problems?.[0]?.reason === "KubeletAbsent";
  });
});

Deno.test("ClusterMembership asks kubelet what a pod holds", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  await using member = new Member(await cluster(), dir);
  await until("the LAN is known", () => member.membership.lans.read().lans.length === 1);
  const [lan] = member.membership.lans.read().lans;
  const pod = { namespace: "default", name: "vm" };
  const ask = { lan: lan!, spoke: "pod1", attach: "macvtap", pod } as const;
  await assert.rejects(member.membership.gate.admit(ask), codeIs("DeviceNotHeld"));
  const devices = [{ resource_name: RESOURCE, device_ids: ["pod1"] }];
  kubelet.pods = [{ ...pod, containers: [{ name: "c", devices }] }];
  await member.membership.gate.admit(ask);
});

Deno.test("ClusterMembership reports a pod that holds a device until it is attached", async () => {
  using dir = new TempDir();
  using kubelet = startedKubelet(dir);
  const api = await cluster();
  const clock = new FakeClock();
  await using member = new Member(api, dir, clock);
  const { parts, membership } = member;
  await until("the spokes can be had", () => kubelet.allocatable === 2);
  const pod = { namespace: "default", name: "vm" };
  const devices = [{ resource_name: RESOURCE, device_ids: ["pod1"] }];
  kubelet.pods = [{ ...pod, containers: [{ name: "c", devices }] }];
  await kubelet.allocate(RESOURCE, "pod1");
  await clock.advance(5_000);
  const found = await until("it is reported", async () => {
    return (await reportOf(api, parts.node))?.unattached;
  });
  const { uid } = membership.lans.read().lans[0]!.metadata;
  assert.deepEqual(found, [{ lanUid: uid, spoke: "pod1", pod }]);
  await parts.add({ args: podArgs("default", "vm") }, { lan: "default/lan-test" });
  membership.changed();
  await until("it no longer is", async () => {
    const report = await reportOf(api, parts.node);
    return report?.attached === 1 && report.unattached === undefined;
  });
  // Nor when the pod goes, of which kubelet tells for longer than it is attached.
  for (const attachment of [...parts.attachments.all()]) parts.attachments.remove(attachment);
  membership.changed();
  const gone = await until("nothing is attached", async () => {
    const report = await reportOf(api, parts.node);
    return report?.attached === 0 && report;
  });
  assert.equal(gone.unattached, undefined);
});

Deno.test("ClusterMembership looks at what is attached when its peers change", async () => {
  using dir = new TempDir();
  const api = new FakeKubeApi({ withStatus: ["lannodes.lan.k8slan.io"] });
  const { spec } = seedLan({ underlay: "unicast" });
  await api.create(LANS, { metadata: { name: "lan-test", namespace: "default" }, spec });
  await using member = new Member(api, dir);
  const { parts, membership } = member;
  await until("the LAN is known", () => [...parts.registry.all()].length === 1);
  const { lan } = [...parts.registry.all()][0]!;
  parts.peers = [];
  await parts.add({}, { lan: "default/lan-test" });
  membership.changed();
  await until("its address is told", async () => {
    return (await reportOf(api, parts.node))?.lans?.[0]?.vtep === "fe80::1";
  });
  await until("nobody is a peer", () => typeof membership.peers(lan) !== "string");
  member.looks.length = 0;
  const { namespace, name, uid } = lan.metadata;
  const lans = [{ namespace, name, uid, attached: 1, ready: true, vtep: "fe80::2" }];
  await api.create(LAN_NODES, { metadata: { name: "worker2" } });
  const body = { status: { version: "", attached: 1, lans } };
  const at = { name: "worker2" };
  await api.patch(LAN_NODES, at, { type: "merge", body }, { subresource: "status" });
  await until("it looks again", () => member.looks.length > 0);
  assert.deepEqual([member.looks, membership.peers(lan)], [[uid], ["fe80::2"]]);
});

Deno.test("joinCluster() says what to do where no API server is named", async () => {
  using parts = new Parts([]);
  const { kernel, registry, attachments, taps, drift, log } = parts;
  const options = { env: () => undefined, kubeletDir: "/nonexistent", cniBinDir: "/nonexistent" };
  const home = { ...options, env: (name: string) => name === "HOME" ? "/nonexistent" : undefined };
  await assert.rejects(
    joinCluster(home, {
      node: { name: parts.node, netnsDir: kernel.netnsDir },
      stateDir: "/nonexistent",
      ...{ kernel, registry, attachments, taps, drift, log },
      probes: noProbes(() => false),
      conditions: () => [],
      problems: () => [],
      look: () => {},
    }),
    /There is no kubeconfig "\/nonexistent\/\.kube\/config"; name one with --kubeconfig/,
  );
});

Deno.test("ClusterMembership is ready for pods once LANs and kubelet are known", async () => {
  using dir = new TempDir();
  const kubelet = new FakeKubelet(dir.path);
  await using member = new Member(await cluster(), dir);
  const { checks } = member.membership;
  assert.match(checks.lans() ?? "", /before the API server answers/);
  assert.match(checks.kubelet() ?? "", /^no kubelet listens in /);
  assert.equal(checks.plugin(), undefined);
  kubelet.start();
  using _ = kubelet;
  await until("all is there", () => checks.lans() === undefined && checks.kubelet() === undefined);
  const up = member.membership.metrics().find(({ name }) => name === "k8slan_agent_kubelet_up");
  assert.equal(up?.samples[0]?.value, 1);
});
