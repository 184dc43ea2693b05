/** VXLANs of other programs on a node: told of, never harmed, and shared with where that is possible. */

import assert from "node:assert/strict";
import { CniCode } from "../../src/api/agent_protocol.ts";
import { LAN, prepareLan } from "../support/lan_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { until } from "../support/until.ts";

interface Foreign {
  readonly device: string;
  /** As its program makes it: what follows `type vxlan`. */
  readonly made: string;
  /** Of the LAN, if not those of the seed document. */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** What the agent says of the LAN while it is there. */
  readonly reason?: string;
  /** What is said to whom attaches while it is there; absent: that works. */
  readonly refusal?: RegExp;
  /** It cannot even be made while the LAN is in use. */
  readonly isBarred?: true;
}

const PORT_OF_CILIUM = new RegExp(
  'UDP port 4789 is in use on this node by VXLAN device "cilium_vxlan" of Cilium in the host.*' +
    "leave that device alone, delete the LAN and create it with another spec.vxlanPort",
);

const FOREIGN: readonly Foreign[] = [
  {
    device: "cilium_vxlan",
    made: "external dstport 4789",
    ...{ reason: "VxlanPortTaken", refusal: PORT_OF_CILIUM },
  },
  { device: "cilium_vxlan", made: "external dstport 8472" },
  {
    device: "vxlan_sys_4789",
    made: "external dstport 4789",
    reason: "VxlanPortTaken",
    refusal: /"vxlan_sys_4789" of Open vSwitch/,
  },
  { device: "vxlan.calico", made: "id 4096 local 10.7.0.1 dev eth1 nolearning dstport 4789" },
  {
    device: "vxlan-v6.calico",
    made: "id 4096 local 2001:db8::7 nolearning dstport 4789",
    reason: "VxlanPortFiltered",
  },
  {
    device: "vxlan-v6.calico",
    made: "id 4096 local 2001:db8::7 nolearning dstport 4789 udp6zerocsumrx",
    reason: "VxlanPortTaken",
    refusal: /"vxlan-v6.calico" of Calico/,
  },
  {
    device: "flannel.1",
    made: "id 1 local 10.7.0.1 dev eth1 nolearning dstport 8472",
    spec: { vni: 1, vxlanPort: 8472 },
  },
  {
    device: "flannel-v6.1",
    made: "id 1 local 2001:db8::7 dev eth1 nolearning dstport 8472",
    spec: { vni: 1, vxlanPort: 8472 },
    reason: "VniTaken",
    refusal: /VNI 1 on UDP port 8472 .*"flannel-v6.1" of Flannel .* with another spec.vni/,
    isBarred: true,
  },
  {
    device: "theirs",
    made: "id 7 local 2001:db8::7 gbp nolearning dstport 4789",
    reason: "VxlanPortTaken",
    refusal: /"theirs" in the host's .*another spec.vxlanPort or remove that device/,
  },
];

for (const { device, made, spec = {}, reason = "", refusal, isBarred } of FOREIGN) {
  const title = `"${device}" (${made.replace(/ (local|dev) \S+/g, "")})`;
  rootTest(`the agent and ${title} leave each other alone`, async () => {
    await using stage = await prepareLan(1, spec);
    const { lab, node, lan } = stage;
    const shell = (script: string) => node.host.run(["sh", "-euc", script]);
    const make = `ip link add ${device} type vxlan ${made}`;
    const says = async (expected: string) => {
      await until(`the agent says "${expected}"`, async () => {
        const { conditions = [] } = await node.lan(lan) ?? {};
        return conditions.map((condition) => condition.reason).join() === expected;
      });
    };
    const look = () => shell(`ip -d -j link show dev ${device}; bridge fdb show dev ${device}`);
    const pod = await lab.addWorkload("pod");
    const attach = () => node.cni("ADD", pod, { lan: LAN, spoke: "pod1" });

    // Theirs first.
    await shell(
      `${make}; bridge fdb append 02:00:00:00:00:07 dev ${device} dst ` +
        `${/local \S*:/.test(made) ? "2001:db8::9" : "10.7.0.9"}; ip link set ${device} up`,
    );
    await says(reason);
    const before = await look();
    const { code, output } = await attach();
    if (refusal === undefined) assert.equal(code, 0, JSON.stringify(output));
    else {
      assert.equal(output?.["code"], CniCode.Clash, JSON.stringify(output));
      assert.match(`${output?.["msg"]}`, refusal);
    }
    await node.restart("SIGKILL");
    await says(reason);
    await node.cni("DEL", pod, { lan: LAN, spoke: "pod1" });
    assert.equal(await look(), before);

    // Ours first.
    await shell(`ip link del ${device}`);
    await says("");
    assert.equal((await attach()).code, 0);
    if (isBarred) {
      await assert.rejects(shell(make), /VNI already exists/);
      return await says("");
    }
    await shell(make);
    const up = shell(`ip link set ${device} up`);
    if (refusal === undefined) await up;
    else await assert.rejects(up, /in use/);
    await says(reason);
    const down = await look();
    await node.cni("DEL", pod, { lan: LAN, spoke: "pod1" });
    assert.equal(await look(), down);
    // Nothing keeps it from coming up any more, as soon as the kernel has done what DEL has begun.
    await until(`"${device}" comes up`, async () => {
      await shell(`ip link set ${device} up`);
      return true;
    });
    await shell(`ip link del ${device}`);
    await says("");
  });
}
