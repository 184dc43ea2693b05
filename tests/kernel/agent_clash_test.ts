/** Whatever stands in the way of an attachment: reported so that a person can act, never touched. */

import assert from "node:assert/strict";
import { Fd } from "../../src/sys/fd.ts";
import { libc } from "../../src/sys/libc.ts";
import { openNetns, withNetns } from "../../src/sys/netns.ts";
import { unwrap } from "../../src/sys/syscall_error.ts";
import { type AgentNode, createAgentLab, seedLan, type Workload } from "../support/agent_lab.ts";
import { rootTest } from "../support/netns_lab.ts";
import { takePicture, untilPicture } from "../support/node_picture.ts";
import { settled } from "../support/settled.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";

interface Clash {
  /** What is in the way. */
  readonly name: string;
  /**
   * Puts it there: a shell command in the node's namespace. `$netns` is the path of the LAN's, `$pod`
   * the workload's, `$other` that of a namespace in which a process runs.
   */
  readonly plant: string;
  /** Takes it away again; after that the same ADD must succeed. Absent: it is not tried. */
  readonly remove?: string;
  /** Other fields of the LAN's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** In place of the workload's namespace. */
  readonly target?: string;
  readonly code: number;
  /** Patterns of the message: the object, what was found, what to do. */
  readonly says: readonly RegExp[];
}

const AGAIN = 11;
const ENVIRONMENT = 4;
const CLASH = 101;

const CLASHES: readonly Clash[] = [
  {
    name: "a foreign link with the name of the spoke",
    plant: "ip link add pod1 type veth peer name pod1peer",
    remove: "ip link del pod1",
    code: CLASH,
    says: [/"pod1"/, /link that is not ours/, /rename or remove/],
  },
  {
    name: "a link with the spoke's name as alternative name",
    plant: "ip link add other type bridge; ip link property add dev other altname pod1",
    remove: "ip link del other",
    code: CLASH,
    says: [/"pod1"/, /link that is not ours/, /rename or remove/],
  },
  {
    name: "a link whose alias resembles our mark",
    plant: "ip link add pod1 type bridge; ip link set pod1 alias 'k8slan2 lan=x spoke=pod1'",
    remove: "ip link del pod1",
    code: CLASH,
    says: [/"pod1"/, /link that is not ours/],
  },
  {
    name: "a link with the mark of another LAN",
    plant: "ip link add pod1 type bridge; ip link set pod1 alias 'k8slan lan=other spoke=pod1'",
    remove: "ip link del pod1",
    code: CLASH,
    says: [/"pod1"/, /another LAN \(UID other\)/],
  },
  {
    name: "a foreign namespace at the LAN's path",
    plant: "touch $netns; unshare --net=$netns ip link add br2 type bridge",
    remove: "umount -l $netns; rm $netns",
    code: CLASH,
    says: [/knlvrf"/, /a network namespace that is not ours/, /remove it or change spec.ns/],
  },
  {
    name: "a plain file at the LAN's path",
    plant: "echo precious > $netns",
    remove: "rm $netns",
    code: CLASH,
    says: [/knlvrf"/, /not a network namespace/, /remove it or change spec.ns/],
  },
  {
    name: "a directory at the LAN's path",
    plant: "mkdir $netns; touch $netns/precious",
    remove: "rm -r $netns",
    code: CLASH,
    says: [/knlvrf"/, /not a network namespace/, /remove it or change spec.ns/],
  },
  {
    name: "a foreign VXLAN with the VNI",
    plant: "ip link add theirs type vxlan id 222 group ff02::99 dev eth1 dstport 4789",
    remove: "ip link del theirs",
    code: CLASH,
    says: [/VNI 222/, /"theirs" in the host's/, /another spec.vni or remove that device/],
  },
  {
    name: "a foreign VXLAN with the VNI in another namespace",
    plant: "ip link add theirs type vxlan id 222 group ff02::99 dev eth1 dstport 4789;" +
      "ip link set theirs netns $other",
    remove: "nsenter --net=$other ip link del theirs",
    code: CLASH,
    says: [/VNI 222/, /"theirs" in the network namespace of process \d+/],
  },
  {
    name: "the UDP port in use by an external VXLAN",
    plant: "ip link add cilium type vxlan external dstport 4789; ip link set cilium up",
    remove: "ip link del cilium",
    code: CLASH,
    says: [/UDP port 4789/, /"cilium" in the host's/, /another spec.vxlanPort or remove/],
  },
  {
    name: "a limit on multicast groups",
    plant: "ip link add theirs type vxlan id 9 group ff02::9 dev eth1 dstport 4789;" +
      "ip link set theirs up; sysctl -qw net.core.optmem_max=1",
    remove: "sysctl -qw net.core.optmem_max=131072",
    code: AGAIN,
    says: [/group "ff02::14" .* on underlay device "eth1"/, /raise net.core.optmem_max/],
  },
  {
    name: "the workload's interface of that name",
    plant: "nsenter --net=$pod ip link add net1 type bridge",
    remove: "nsenter --net=$pod ip link del net1",
    code: CLASH,
    says: [/"net1"/, /exists already/, /choose another interface name/],
  },
  {
    name: "the host's own namespace as workload",
    plant: "true",
    target: "host",
    code: ENVIRONMENT,
    says: [/host's own network namespace/],
  },
  {
    name: "no namespace where the workload should be",
    plant: "true",
    target: "none",
    code: ENVIRONMENT,
    says: [/none" is not a network namespace/],
  },
  {
    name: "a plain file where the workload should be",
    plant: "touch $pod.file",
    target: "file",
    code: ENVIRONMENT,
    says: [/file" is not a network namespace/],
  },
  {
    name: "a FIFO where the workload should be",
    plant: "mkfifo $pod.fifo",
    target: "fifo",
    code: ENVIRONMENT,
    says: [/fifo" is not a network namespace/],
  },
  {
    name: "an underlay that is missing",
    plant: "ip link set eth1 down; ip link set eth1 name away",
    remove: "ip link set away name eth1; ip link set eth1 up",
    code: AGAIN,
    says: [/"eth1"/, /does not exist/, /create it or correct spec.vxlanDevMap/],
  },
  {
    name: "an underlay with IPv6 switched off",
    plant: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1",
    remove: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=0",
    code: AGAIN,
    says: [/"eth1"/, /IPv6 .*switched off/, /set .*eth1\/disable_ipv6=0/],
  },
  {
    name: "an underlay without room for IPv6",
    plant: "ip link set eth1 mtu 1200",
    remove: "ip link set eth1 mtu 1500",
    code: AGAIN,
    says: [/"eth1"/, /MTU 1200/, /at least 1280/],
  },
  {
    name: "an underlay too small for the LAN's MTU",
    plant: "true",
    spec: { mtu: 1500 },
    remove: "ip link set eth1 mtu 1570",
    code: AGAIN,
    says: [/MTU 1500/, /"eth1"/, /at most 1430/, /raise the underlay's MTU to 1570/],
  },
  {
    name: "a LAN that names no underlay for the node",
    plant: "true",
    spec: { vxlanDevMap: {}, defaultVxlanDev: undefined },
    code: AGAIN,
    says: [/names no underlay device for node/, /spec.vxlanDevMap or set spec.defaultVxlanDev/],
  },
];

for (const { name, plant, remove, spec, target, code, says } of CLASHES) {
  rootTest(`AttachService leaves ${name} alone, and nothing else behind`, async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    const node = lab.node("worker1");
    const lan = seedLan(lab);
    await lab.putLan({ ...lan, spec: { ...lan.spec, ...spec } });
    const pod = await lab.addWorkload("pod");
    const other = await lab.addWorkload("other");
    await lab.net.hold(other.netns);
    const shell = (command: string) =>
      node.host.run([
        ...["sh", "-euc"],
        `netns=${node.netnsDir}/knlvrf pod=${pod.netns} other=${other.netns}; ${command}`,
      ]);
    await shell(plant);
    const look = () => takePicture(node, [pod, other]);
    const before = await settled(look);
    const there = pathOf(target, node, pod);
    for (const attach of ["macvtap", "veth"]) {
      // Only a macvtap needs a link in the host's namespace.
      if (attach === "veth" && says.some((pattern) => pattern.test(`"pod1"`))) continue;
      const answer = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1", attach }, {
        env: { CNI_NETNS: there },
      });
      assert.equal(answer.code, 1);
      assert.equal(answer.output?.["code"], code, JSON.stringify(answer.output));
      for (const pattern of says) assert.match(`${answer.output?.["msg"]}`, pattern);
      await untilPicture("nothing is left behind", look, before);
    }
    if (remove === undefined) return;
    await shell(remove);
    const added = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });
    assert.equal(added.code, 0, JSON.stringify(added.output));
  });
}

function pathOf(target: string | undefined, { host }: AgentNode, { netns }: Workload): string {
  if (target === undefined) return netns;
  return target === "host" ? host.netns : `${netns}.${target}`;
}

rootTest("AttachService says that a program has the UDP port", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  await lab.putLan(seedLan(lab));
  const pod = await lab.addWorkload("pod");
  const before = await takePicture(node, [pod]);
  {
    using _program = listenUdp(node.host.netns, 4789);
    const { output } = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });
    assert.equal(output?.["code"], CLASH);
    assert.match(`${output?.["msg"]}`, /UDP port 4789 is in use.*vxlanPort or stop what uses it/);
    await untilPicture("nothing is left behind", () => takePicture(node, [pod]), before);
  }
  assert.equal((await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" })).code, 0);
});

/** Has the port, as a program in that namespace would. */
function listenUdp(path: string, port: number): Disposable {
  using netns = openNetns(path);
  const socket = new Fd(withNetns(netns, () => unwrap(libc().socket(10, 2, 0), "open a socket")));
  // struct sockaddr_in6: family, port, flow, address, scope.
  const address = new Uint8Array(28);
  const view = new DataView(address.buffer);
  view.setUint16(0, 10, true);
  view.setUint16(2, port, false);
  unwrap(libc().bind(socket.number, address, address.length), `take UDP port ${port}`);
  return socket;
}

rootTest("AttachService refuses the namespace of a LAN as workload", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const lan = seedLan(lab);
  await lab.putLan(lan);
  await lab.putLan({
    metadata: { name: "second" },
    spec: { ...lan.spec, ns: "second", vni: 223, spokes: ["second1"] },
  });
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  const before = await settled(() => takePicture(node, [pod]));
  const env = { CNI_NETNS: `${node.netnsDir}/knlvrf` };
  for (const config of [{ lan: LAN, spoke: "pod2" }, { lan: "default/second", spoke: "second1" }]) {
    const { output } = await node.cni("ADD", pod, config, { containerId: "x", env });
    assert.equal(output?.["code"], ENVIRONMENT);
    assert.match(`${output?.["msg"]}`, /is the network namespace of LAN "k8slan-system\/lan-test"/);
    await untilPicture("nothing is left behind", () => takePicture(node, [pod]), before);
  }
});

rootTest("AttachService finishes what a crash left of a LAN's namespace", async () => {
  await using lab = await createAgentLab({ nodes: 1 });
  const node = lab.node("worker1");
  const lan = seedLan(lab);
  await lab.putLan(lan);
  const mark = `k8slan lan=${(await node.lan(lan))?.uid} name=${LAN}\n`;
  await Deno.writeTextFile(`${node.netnsDir}/knlvrf`, mark);
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  assert.equal((await pod.links()).length, 2);
});

for (
  const [name, plant, reason] of [
    ["is down", "ip link set eth1 down", "UnderlayDown"],
    ["has no address", "ip -6 addr flush dev eth1 scope link", "NoIpv6Source"],
  ] as const
) {
  rootTest(`AttachService attaches while the underlay ${name}, and the agent says so`, async () => {
    await using lab = await createAgentLab({ nodes: 1 });
    const node = lab.node("worker1");
    const lan = seedLan(lab);
    await lab.putLan(lan);
    await node.host.run(["sh", "-euc", plant]);
    const pod = await lab.addWorkload("pod");
    const { code, output } = await node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });
    assert.equal(code, 0, JSON.stringify(output));
    await until(`the agent says ${reason}`, async () => {
      return (await node.lan(lan))?.conditions.map((found) => found.reason).join() === reason;
    });
  });
}
