/** Attachments, LANs and agents that come and go in every order. */

import { CniCode } from "../../src/api/agent_protocol.ts";
import assert from "node:assert/strict";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  denoRun,
  type LanDocument,
  seedLan,
  type Workload,
} from "../support/agent_lab.ts";
import { rootTest } from "../support/netns_lab.ts";
import { type NodePicture, takePicture, untilPicture } from "../support/node_picture.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";
const AGAIN = 11;

rootTest("ADD of a spoke that is attached says who holds it, and to try again", async () => {
  await using stage = await prepare();
  const { lab, node } = stage;
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  const args = "K8S_POD_NAMESPACE=k8slan-system;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
  await node.attach(first, { lan: LAN, spoke: "pod1" }, { args });
  await isRefusedTo(node, second, { spoke: "pod1" }, AGAIN, /"pod1".*pod "k8slan-system\/web-0"/);
  await node.detach(first);
  await node.attach(first, { lan: LAN, spoke: "pod1" });
  await isRefusedTo(node, second, { spoke: "pod1" }, AGAIN, /"pod1".*container "first"/);
  await node.detach(first);
  const { code } = await node.cni("ADD", second, { lan: LAN, spoke: "pod1" });
  assert.equal(code, 0);
});

rootTest("ADD a second time is an error, and leaves the interface as it is", async () => {
  await using stage = await prepare();
  const { lab, node } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await isRefusedTo(node, pod, { spoke: "pod1" }, 100, /"pod" has interface "net1".*delete it/);
  await isRefusedTo(node, pod, { spoke: "pod2" }, 100, /"pod" has interface "net1".*delete it/);
});

rootTest("ADD of a pod's new sandbox takes the spoke over from its former one", async () => {
  await using stage = await prepare();
  const { lab, node } = stage;
  const [first, second] = [await lab.addWorkload("first"), await lab.addWorkload("second")];
  const args = "K8S_POD_NAMESPACE=k8slan-system;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
  await node.attach(first, { lan: LAN, spoke: "pod1" }, { args });
  await node.attach(second, { lan: LAN, spoke: "pod1" }, { args });
  assert.deepEqual((await first.links()).map(({ ifname }) => ifname), ["lo"]);
  assert.deepEqual((await node.view()).attachments.map(({ containerId }) => containerId), [
    "second",
  ]);
  // The late DEL of the first sandbox is no business of the second.
  await node.detach(first);
  assert.equal((await second.links()).length, 2);
});

rootTest("DEL succeeds without ADD, twice, and without a namespace", async () => {
  await using stage = await prepare();
  const { lab, node, before } = stage;
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  const look = () => takePicture(node);
  for (const containerId of ["unknown", "pod", "pod"]) {
    const { code, notes } = await node.cni("DEL", pod, { lan: LAN }, { containerId });
    assert.deepEqual([code, notes], [0, ""]);
  }
  await untilPicture("nothing is left", look, before);
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  await pod.remove();
  for (const netns of [pod.netns, ""]) {
    const { code } = await node.cni("DEL", pod, { lan: LAN }, { env: { CNI_NETNS: netns } });
    assert.equal(code, 0);
  }
  await untilPicture("nothing is left", look, before);
});

rootTest("DEL without an agent succeeds, and is done when the agent starts", async () => {
  await using stage = await prepare();
  const { lab, node } = stage;
  const pods = await Promise.all(["a", "b"].map((name) => lab.addWorkload(name)));
  await node.attach(pods[0]!, { lan: LAN, spoke: "pod1" });
  await node.attach(pods[1]!, { lan: LAN, spoke: "pod2", attach: "veth" });
  await node.stop("SIGKILL");
  for (const pod of pods) {
    for (let time = 0; time < 2; time++) {
      const { code, notes } = await node.cni("DEL", pod, { lan: LAN });
      assert.deepEqual([code, /it is queued for the agent/.test(notes)], [0, true]);
    }
  }
  const absent = await node.cni("ADD", pods[0]!, { lan: LAN, spoke: "pod1" });
  assert.equal(absent.output?.["code"], AGAIN);
  assert.match(`${absent.output?.["msg"]}`, /agent does not answer at ".*agent\.sock".*start it/);
  await node.start();
  // Done before anyone is served.
  assert.deepEqual((await node.view()).attachments, []);
  const { before } = stage;
  // The directory of the queue stays.
  await untilPicture("nothing is left", () => takePicture(node), {
    ...before,
    files: sorted({ ...before.files, "/run/deletes": "directory 700" }),
  });
});

rootTest("ADD to an agent that is stuck ends in time, and is taken back", async () => {
  await using stage = await prepare();
  const { lab, node, before } = stage;
  const pod = await lab.addWorkload("pod");
  const whole = { ...before, workloads: (await takePicture(node, [pod])).workloads };
  node.agent.kill("SIGSTOP");
  const started = performance.now();
  const answer = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });
  assert.ok(performance.now() - started < 10_500);
  assert.equal(answer.output?.["code"], AGAIN);
  assert.match(`${answer.output?.["msg"]}`, /did not answer within 7.5 s/);
  node.agent.kill("SIGCONT");
  await until("it was attached and taken back", () => {
    return /taking it back[^]*"Detached"/.test(node.agent.output);
  });
  const queued = Deno.readTextFileSync(`${node.runDir}/deletes/pod@net1.json`);
  await untilPicture(
    "nothing is left but the detach that is queued",
    () => takePicture(node, [pod]),
    {
      ...whole,
      files: sorted({
        ...whole.files,
        "/run/deletes": "directory 700",
        "/run/deletes/pod@net1.json": `file 600 ${queued}`,
      }),
    },
  );
  // The runtime tries again: the detach that is queued must not hit that.
  assert.equal((await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" })).code, 0);
  assert.deepEqual([...Deno.readDirSync(`${node.runDir}/deletes`)], []);
});

rootTest("sweep() removes what is attached to a workload that is gone without DEL", async () => {
  await using stage = await prepare();
  const { lab, node, before } = stage;
  const pods = await Promise.all(["a", "b", "c"].map((name) => lab.addWorkload(name)));
  await node.attach(pods[0]!, { lan: LAN, spoke: "pod1" });
  await node.attach(pods[1]!, { lan: LAN, spoke: "pod2", attach: "veth" });
  await node.attach(pods[2]!, { lan: LAN, attach: "veth" });
  for (const pod of pods) await pod.remove();
  await untilPicture("nothing is left", () => takePicture(node), before);
  assert.deepEqual((await node.view()).attachments, []);
});

rootTest("a LAN whose file goes keeps working, and ends with its last attachment", async () => {
  await using stage = await prepare(2);
  const { lab, node, lan } = stage;
  const two = lab.node("worker2");
  const [a, b] = [await addressed(lab, node, "pod1", 1), await addressed(lab, two, "pod2", 2)];
  await lab.removeLan(lan);
  assert.equal((await node.lan(lan))?.state, "Orphaned");
  const late = await lab.addWorkload("late");
  await isRefusedTo(node, late, { spoke: "pod3" }, AGAIN, /There is no LAN/);
  await a.run(["ping", "-c1", "-W2", "10.9.0.2"]);
  await node.restart("SIGKILL");
  assert.equal((await node.lan(lan))?.state, "Orphaned");
  await b.run(["ping", "-c1", "-W2", "10.9.0.1"]);
  await node.detach(a);
  assert.equal(await node.lan(lan), undefined);
  assert.deepEqual([...Deno.readDirSync(node.netnsDir)], []);
});

rootTest(
  "a LAN whose VNI is edited is another LAN: what is attached stays until it is detached",
  async () => {
    await using stage = await prepare(2);
    const { lab, node, lan } = stage;
    const a = await addressed(lab, node, "pod1", 1);
    const b = await addressed(lab, lab.node("worker2"), "pod2", 2);
    const changed = { ...lan, spec: { ...lan.spec, vni: 333 } };
    await lab.putLan(changed);
    const late = await lab.addWorkload("late");
    await isRefusedTo(
      node,
      late,
      { spoke: "pod3" },
      CniCode.Clash,
      /belongs to .*detach them first/,
    );
    await a.run(["ping", "-c1", "-W2", "10.9.0.2"]);
    await node.detach(a);
    await lab.node("worker2").detach(b);
    await node.attach(late, { lan: LAN, spoke: "pod3" });
    const links = await lab.net.links(`${node.netnsDir}/knlvrf`);
    assert.deepEqual(
      links.flatMap(({ linkinfo }) => linkinfo?.info_data?.["id"] ?? []),
      [333],
    );
  },
);

rootTest("of two LANs in conflict the older counts, until it goes", async () => {
  await using stage = await prepare();
  const { lab, node, lan } = stage;
  const rival: LanDocument = {
    metadata: { name: "rival" },
    spec: { ...lan.spec, ns: "other", spokes: ["rival1"] },
  };
  await lab.putLan(rival);
  const view = await node.lan(rival);
  assert.equal(view?.state, "Rejected");
  assert.match(
    `${view?.conditions[0]?.message}`,
    /vni "222" belongs to LAN "k8slan-system\/lan-test"/,
  );
  const pod = await lab.addWorkload("pod");
  const wish = { lan: "default/rival", spoke: "rival1" };
  await isRefusedTo(node, pod, wish, AGAIN, /"default\/rival" is not accepted: .*lan-test/);
  await lab.removeLan(lan);
  assert.equal((await node.lan(rival))?.state, "Idle");
  await node.attach(pod, wish);
});

rootTest(
  "agentMain() refuses to run twice on one run directory, also when two start at once",
  async () => {
    await using stage = await prepare();
    const { lab, node } = stage;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    const whole = await takePicture(node, [pod]);
    const second = node.spawnAgent();
    assert.equal((await second.ended).code, 1);
    assert.match(second.stderr, /Another agent is running with ".*\/run"; stop it/);
    await node.stop();
    for (let time = 0; time < 3; time++) {
      const racers = Array.from({ length: 4 }, () => node.spawnAgent());
      const ends = racers.map((racer) => racer.ended.then(() => racer));
      for (let count = 0; count < 3; count++) {
        const loser = await Promise.race(ends);
        ends.splice(racers.indexOf(loser), 1);
        racers.splice(racers.indexOf(loser), 1);
        assert.match(loser.stderr, /Another agent is running/);
      }
      await until("the winner serves", async () => {
        return (await node.view()).pid === racers[0]?.pid;
      });
      racers[0]?.kill(time === 0 ? "SIGTERM" : "SIGKILL");
      await ends[0];
    }
    await node.start();
    await untilPicture("as before", () => takePicture(node, [pod]), whole);
  },
);

rootTest(
  "agentMain() refuses to run beside another agent of the node, whatever its directory",
  async () => {
    await using stage = await prepare();
    const { lab, node } = stage;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    const whole = await takePicture(node, [pod]);
    const second = node.host.spawn([
      ...[...denoRun("main.ts"), "agent", "--standalone", "--lans", node.lansDir],
      ...["--run-dir", `${lab.net.dir}/run2`, "--state-dir", `${lab.net.dir}/state2`],
    ]);
    assert.equal((await second.ended).code, 1);
    assert.match(
      second.stderr,
      /Another agent is running in this network namespace.*stop the other/,
    );
    await untilPicture("as before", () => takePicture(node, [pod]), whole);
  },
);

rootTest("32 ADDs at once, and then 32 DELs, leave nothing", async () => {
  const names = Array.from({ length: 32 }, (_, at) => `p${at}`);
  await using stage = await prepare(1, { spokes: names });
  const { lab, node, before } = stage;
  const pods = await Promise.all(names.map((name) => lab.addWorkload(name)));
  const call = (command: string) =>
    Promise.all(pods.map(async (pod, at) => {
      const attach = at % 4 === 0 ? "veth" : "macvtap";
      const answer = await node.cni(command, pod, { lan: LAN, spoke: pod.name, attach });
      assert.equal(answer.code, 0, JSON.stringify(answer.output));
      return `${Object(answer.output)["interfaces"]?.[0]?.mac}`;
    }));
  assert.equal(new Set(await call("ADD")).size, 32);
  assert.equal((await lab.net.links(`${node.netnsDir}/knlvrf`)).length, 3 + 32);
  await call("DEL");
  await untilPicture("nothing is left", () => takePicture(node), before);
  for (const pod of pods) {
    assert.deepEqual((await pod.links()).map(({ ifname }) => ifname), ["lo"]);
  }
});

for (const [what, plant] of [["links", foreignLinks], ["namespaces", foreignFiles]] as const) {
  rootTest(`recover() leaves foreign ${what} alone, whatever their names`, async () => {
    await using stage = await prepare();
    const { lab, node } = stage;
    const uid = `${(await node.lan(stage.lan))?.uid}`;
    const pod = await lab.addWorkload("pod");
    await node.attach(pod, { lan: LAN, spoke: "pod1" });
    await node.stop("SIGKILL");
    await node.host.run(["sh", "-euc", plant(node, uid)]);
    const look = () => takePicture(node, [pod]);
    const before = await look();
    // Ours without doubt: that it goes shows that the start has looked at them.
    if (what === "links") await node.host.run(["sh", "-euc", strayLink(uid)]);
    await node.start();
    if (what === "links") {
      await until("the stray link is gone", async () => {
        return !(await node.host.links()).some(({ ifname }) => ifname === "stray");
      });
    }
    const socket = { "/run/agent.sock": "socket 600" };
    const expected = { ...before, files: sorted({ ...before.files, ...socket }) };
    await untilPicture("everything is as it was", look, expected);
  });
}

function strayLink(uid: string): string {
  return "ip link add stray type veth peer name strayer; " +
    `ip link set stray alias 'k8slan lan=${uid} spoke=stray'`;
}

function sorted(files: NodePicture["files"]): NodePicture["files"] {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => a < b ? -1 : 1));
}

/** Names of the LAN's own things and of its spokes that are not attached, aliases that are like ours. */
function foreignLinks(_node: AgentNode, uid: string): string {
  const aliases = [
    ...["k8slan", "k8slan ", "k8slan lan", `K8SLAN lan=${uid} spoke=f3`],
    ...["k8slan2 lan=x spoke=f4", " k8slan lan=x spoke=f5", "k8slan spoke=f6", "k8slan=lan=x"],
    `not k8slan lan=${uid} spoke=f8`,
  ];
  return [
    ...aliases.flatMap((alias, at) => [
      `ip link add f${at} type veth peer name g${at}`,
      `ip link set f${at} alias '${alias}'`,
    ]),
    "ip link add br2 type bridge",
    "ip link add vx2 type vxlan id 4711 group ff02::99 dev eth1 dstport 4790",
    "ip link add pod3 type veth peer name pod3.b",
    "ip link set pod3.b master br2",
    "ip link add pod4 type bridge",
    // A mark on a link of a kind that we never have in the host's namespace.
    `ip link set pod4 alias 'k8slan lan=${uid} spoke=pod4'`,
  ].join("\n");
}

function foreignFiles({ netnsDir }: AgentNode): string {
  return [
    `cd ${netnsDir}; touch foreign theirs; mkdir directory; mkfifo fifo`,
    `echo precious > file; echo 'k8slan2 lan=x' > similar; touch empty`,
    "ln -s foreign linked; ln -s nowhere dangling",
    "unshare --net=foreign ip link add pod1.b type veth peer name net1",
    "unshare --net=theirs ip link set lo alias 'k8slan2 lan=x name=y'",
    // Ours by its alias, were it not in a namespace that is not.
    "nsenter --net=theirs ip link add pod2.b type veth peer name net1",
    "nsenter --net=theirs ip link set pod2.b alias 'k8slan lan=x spoke=pod2'",
  ].join("\n");
}

interface Stage extends AsyncDisposable {
  readonly lab: AgentLab;
  readonly node: AgentNode;
  readonly lan: LanDocument;
  /** Of `node`, with the LAN known and nothing attached. */
  readonly before: NodePicture;
}

async function prepare(
  nodes = 1,
  spec: { readonly spokes?: readonly string[] } = {},
): Promise<Stage> {
  const lab = await createAgentLab({ nodes });
  try {
    const seed = seedLan(lab);
    const lan = { ...seed, spec: { ...seed.spec, ...spec } };
    await lab.putLan(lan);
    const node = lab.node("worker1");
    const before = await takePicture(node);
    return { lab, node, lan, before, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** ADD by a CNI process is refused with this code and text, and changes nothing at all. */
async function isRefusedTo(
  node: AgentNode,
  workload: Workload,
  config: Readonly<Record<string, unknown>>,
  code: number,
  says: RegExp,
): Promise<void> {
  const look = () => takePicture(node, [workload]);
  const before = await look();
  const { output } = await node.cni("ADD", workload, { lan: LAN, ...config });
  assert.equal(output?.["code"], code, JSON.stringify(output));
  assert.match(`${output?.["msg"]}`, says);
  await untilPicture("nothing has changed", look, before);
}

/** Attaches a new workload with an address. */
async function addressed(
  lab: AgentLab,
  node: AgentNode,
  spoke: string,
  number: number,
): Promise<Workload> {
  const workload = await lab.addWorkload(spoke);
  await node.attach(workload, { lan: LAN, spoke });
  await node.ask({
    ...{ op: "configure", containerId: spoke, ifname: "net1", netns: workload.netns },
    ...{ ips: [{ address: `10.9.0.${number}/24` }], routes: [] },
  });
  return workload;
}
