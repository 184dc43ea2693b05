import { deepEqual, equal, match } from "node:assert/strict";
import { cliRun, README_LAN } from "../../tests/support/cli_run.ts";

const OTHER = README_LAN.replace("lan-test", "other").replace("knlvrf", "other")
  .replace("222", "333").replace("pod1", "pod3").replace("pod2", "pod4");

const IN = "nsenter --net=/run/k8slan/netns/knlvrf";
const LAN_MARK = "k8slan lan=file.k8slan-system.lan-test.6b240f39";

const HEAD = `# LAN k8slan-system/lan-test on node worker1
# Underlay eth1, from spec.vxlanDevMap, taken to have MTU 1500
# MTU 1426, the underlay's less 70 for VXLAN and 4 for a VLAN tag inside
`;

const LAN = `# Network namespace, bridge and VXLAN
mkdir -p /run/k8slan/netns && touch /run/k8slan/netns/knlvrf
unshare --net=/run/k8slan/netns/knlvrf true
${IN} sysctl -qw net/ipv6/conf/default/disable_ipv6=1
${IN} sysctl -qw net/ipv6/conf/all/disable_ipv6=1
${IN} ip link set dev lo up alias '${LAN_MARK} name=k8slan-system/lan-test'
ip link add name vx2 address 02:1a:84:bd:81:b6 mtu 1426 netns /run/k8slan/netns/knlvrf type vxlan id 222 group ff02::14 dev eth1 dstport 4789 ttl 1 ageing 300
${IN} ip link add name br2 index 1048576 address 02:64:94:fb:5f:37 mtu 68 type bridge stp_state 0 mcast_snooping 0 ageing_time 30000
${IN} ip link set dev br2 mtu 1426
${IN} ip link set dev br2 alias '${LAN_MARK}' up
${IN} ip link set dev vx2 master br2
${IN} ip link set dev vx2 type bridge_slave group_fwd_mask 0xfffd
${IN} ip link set dev vx2 alias '${LAN_MARK}' up
`;

const POD1 = `# Spoke pod1
ip link add name pod1 index 143515682 address 02:13:72:48:08:82 mtu 1426 numtxqueues 1 numrxqueues 1 type veth peer name pod1.b address 02:0f:a4:58:0a:5e mtu 1426 numtxqueues 1 numrxqueues 1 netns /run/k8slan/netns/knlvrf
ip link set dev pod1 arp off alias '${LAN_MARK} spoke=pod1'
sysctl -qw net/ipv6/conf/pod1/disable_ipv6=1
sysctl -qw net/ipv4/conf/pod1/rp_filter=1
${IN} ip link set dev pod1.b master br2
${IN} ip link set dev pod1.b type bridge_slave group_fwd_mask 0xfffd
${IN} ip link set dev pod1.b up
ip link set dev pod1 up
`;

const POD2 = `# Spoke pod2
ip link add name pod2 index 161105779 address 02:d9:e2:22:30:f7 mtu 1426 numtxqueues 1 numrxqueues 1 type veth peer name pod2.b address 02:c6:7b:5d:55:d9 mtu 1426 numtxqueues 1 numrxqueues 1 netns /run/k8slan/netns/knlvrf
ip link set dev pod2 arp off alias '${LAN_MARK} spoke=pod2'
sysctl -qw net/ipv6/conf/pod2/disable_ipv6=1
sysctl -qw net/ipv4/conf/pod2/rp_filter=1
${IN} ip link set dev pod2.b master br2
${IN} ip link set dev pod2.b type bridge_slave group_fwd_mask 0xfffd
${IN} ip link set dev pod2.b up
ip link set dev pod2 up
`;

function planOf(args: readonly string[], stdin = README_LAN, env = {}) {
  return cliRun(["plan", "-f", "-", ...args], { stdin, env });
}

Deno.test("plan() prints the README's LAN as shell commands", async () => {
  const run = await planOf(["--node", "worker1"]);
  deepEqual(run, { code: 0, out: HEAD + LAN + POD1 + POD2, err: "" });
});

Deno.test("plan() prints only the spokes asked for", async () => {
  equal((await planOf(["--spoke", "pod2"])).out, HEAD + LAN + POD2);
});

Deno.test("plan() takes the node from the environment, then from the machine", async () => {
  match((await planOf([])).out, /on node worker1\n# Underlay eth1, from spec.vxlanDevMap,/);
  const { out } = await planOf([], README_LAN, { NODE_NAME: "worker9" });
  match(out, /on node worker9\n# Underlay eth0.10, from spec.defaultVxlanDev,/);
});

Deno.test("plan() says where the MTU comes from", async () => {
  match(
    (await planOf(["--underlay-mtu", "9000"])).out,
    /have MTU 9000\n# MTU 8926, the underlay's/,
  );
  const { out } = await planOf([], README_LAN.replace("spec:", "spec:\n  mtu: 1400"));
  match(out, /\n# MTU 1400, from spec.mtu\n/);
});

Deno.test("plan() prints what attaching makes, as macvtap and as veth", async () => {
  const attach = ["--attach", "pod1=/run/netns/blue:eth1", "pod2=/run/netns/red,veth"];
  const { code, out } = await planOf(attach);
  equal(code, 0);
  const lines = out.split("\n");
  const has = (line: string) => equal(lines.includes(line), true, line);
  has(
    "# Network namespace, bridge and VXLAN; pod1 as macvtap eth1 in /run/netns/blue; " +
      "pod2 as veth net1 in /run/netns/red",
  );
  has(
    "ip link add link pod1 name eth1 index 143515682 netns /run/netns/blue type macvtap mode passthru",
  );
  has("chown 107:107 /dev/tap143515682");
  has(
    "ip link add name net1 address 02:d9:e2:22:30:f7 mtu 1426 numtxqueues 1 numrxqueues 1 netns /run/netns/red type veth peer name " +
      "pod2.b address 02:c6:7b:5d:55:d9 mtu 1426 numtxqueues 1 numrxqueues 1 netns /run/k8slan/netns/knlvrf",
  );
  equal(out.includes("# Spoke"), false);
});

const UNICAST = README_LAN.replace("spec:", "spec:\n  underlay: unicast");

Deno.test("plan() of a LAN with a unicast underlay sends from the node's address to its peers'", async () => {
  const { code, out, err } = await planOf(
    ["--spoke", "pod1", "--address", "2001:db8::1", "--peer", "2001:DB8::3", "2001:db8::2"],
    UNICAST,
  );
  deepEqual([code, err], [0, ""]);
  match(out, / type vxlan id 222 local 2001:db8::1 dev eth1 dstport 4789 ttl 64 ageing 300\n/);
  deepEqual(
    out.split("\n").filter((line) => line.includes("bridge fdb")),
    ["2001:db8::2", "2001:db8::3"].map((peer) =>
      `${IN} bridge fdb append 00:00:00:00:00:00 dev vx2 dst ${peer} self permanent`
    ),
  );
});

Deno.test("plan() names the device where peers have link-local addresses", async () => {
  const { out } = await planOf(["--address", "fe80::1", "--peer", "fe80::2"], UNICAST);
  const index = "$(ip -o link show dev eth1 | cut -d: -f1)";
  equal(out.includes(`ip link add name vx2 index ${index} address `), true);
  const [entry] = out.split("\n").filter((line) => line.includes("bridge fdb"));
  equal(
    entry,
    `${IN} bridge fdb append 00:00:00:00:00:00 dev vx2 dst fe80::2 via if${index} self permanent`,
  );
});

Deno.test("plan() of a LAN with a unicast underlay needs the node's address", async () => {
  const { code, err } = await planOf(["--peer", "2001:db8::2"], UNICAST);
  equal(code, 1);
  match(err, /"k8slan-system\/lan-test" has a unicast underlay; name .* with --address /);
});

Deno.test("plan() separates LANs by an empty line", async () => {
  const { out } = await planOf([], [README_LAN, OTHER].join("---\n"));
  const [first, second] = out.split("\n\n");
  equal(`${first}\n`, HEAD + LAN + POD1 + POD2);
  match(second ?? "", /^# LAN k8slan-system\/other on node worker1\n/);
});

Deno.test("plan() gives programs the commands as a list", async () => {
  const { out } = await planOf(["-o", "json", "--spoke", "pod1"]);
  const isCommand = (line: string) => line !== "" && !line.startsWith("#");
  deepEqual(JSON.parse(out), {
    node: "worker1",
    lans: [{
      lan: "k8slan-system/lan-test",
      underlay: "eth1",
      mtu: 1426,
      commands: (LAN + POD1).split("\n").filter(isCommand),
    }],
  });
});

Deno.test("plan() prints no command when two LANs exclude each other", async () => {
  const { code, out, err } = await planOf(
    [],
    [README_LAN, OTHER.replace("333", "222")].join("---\n"),
  );
  deepEqual([code, out], [1, ""]);
  match(
    err,
    /^k8slan: stdin:19: spec.vni "222" belongs to LAN "k8slan-system\/lan-test", [^\n]*\n$/,
  );
});

Deno.test("plan() prints every fault and no command when a LAN is not valid", async () => {
  const bad = README_LAN.replace("222", "0").replace("ns: knlvrf", "ns: lo-");
  const { code, out, err } = await planOf([], bad);
  deepEqual([code, out], [1, ""]);
  match(err, /^k8slan: stdin:7: spec.ns [^\n]*\nk8slan: stdin:10: spec.vni [^\n]*\n$/);
});

Deno.test("plan() leaves out a LAN that cannot be on the node, and says so", async () => {
  const homeless = OTHER.replace("  defaultVxlanDev: eth0.10\n", "");
  const { code, out, err } = await planOf(
    ["--node", "worker9"],
    [homeless, README_LAN].join("---\n"),
  );
  equal(code, 1);
  const message = 'LAN "k8slan-system/other" names no underlay device for node "worker9"; ' +
    "add it to spec.vxlanDevMap or set spec.defaultVxlanDev";
  equal(err, `k8slan: ${message}\n`);
  equal(
    out.slice(0, out.indexOf("\n\n")),
    `# LAN k8slan-system/other on node worker9\n# Not planned: ${message}`,
  );
});

for (const args of [["--spoke", "pod9"], ["--attach", "pod9=blue"]]) {
  Deno.test(`plan() refuses ${args.join(" ")} when no LAN has it`, async () => {
    const { code, out, err } = await planOf(args);
    deepEqual([code, out], [1, ""]);
    equal(err, 'k8slan: No LAN in these files has a spoke "pod9"\n');
  });
}
