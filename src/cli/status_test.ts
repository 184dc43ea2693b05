import { deepEqual, equal, match } from "node:assert/strict";
import type { NodeView } from "../api/agent_protocol.ts";
import { cliRun } from "../../tests/support/cli_run.ts";
import { StubAgent } from "../../tests/support/stub_agent.ts";

const BUSY: NodeView = {
  node: "worker1",
  version: "0.1.0",
  pid: 4711,
  lans: [
    {
      ...{ lan: "lab/spare", uid: "file.lab.spare", vni: 7, netns: "spare", spokes: ["x"] },
      ...{ state: "Idle", underlay: "eth1", conditions: [], links: [] },
    },
    {
      ...{ lan: "k8slan-system/lan-test", uid: "8f3c", vni: 222, netns: "knlvrf" },
      ...{ spokes: ["pod1", "pod2"], state: "Active", underlay: "eth1", mtu: 1426 },
      conditions: [],
      probe: {
        ...{ state: "Known", peers: 2, reachable: 2, roundTripMs: 0.8123, mtu: 1426 },
        nodes: [
          { node: "worker2", state: "reachable", lossPercent: 0, roundTripMs: 0.2 },
          { node: "worker3", state: "reachable", lossPercent: 0, roundTripMs: 0.8123 },
        ],
      },
      links: [
        { name: "br2", role: "bridge", up: true, mtu: 1426, mac: "02:00:00:00:00:0b" },
        { name: "vx2", role: "vxlan", up: false, mtu: 1426, mac: "02:00:00:00:00:0c" },
      ],
    },
  ],
  attachments: [
    {
      ...{ containerId: "cli-red-0a1b2c3d", ifname: "net1", attach: "veth" },
      ...{ lan: "k8slan-system/lan-test", netns: "/run/netns/red" },
    },
    {
      ...{ containerId: "c0ffee", ifname: "net1", attach: "macvtap", spoke: "pod1" },
      ...{ lan: "k8slan-system/lan-test", netns: "/run/netns/blue", pod: "lab/router" },
      ...{ mac: "02:00:00:00:00:01", mtu: 1426, tap: "/dev/tap1048577" },
    },
  ],
  problems: [],
};

const SICK: NodeView = {
  ...BUSY,
  attachments: [],
  lans: [{
    ...{ lan: "lab/b", uid: "b", vni: 8, netns: "b", spokes: [], state: "Rejected", links: [] },
    conditions: [{ reason: "Conflict", message: 'vni "8" belongs to LAN "lab/a"' }],
  }],
  problems: [{ reason: "InvalidLan", message: "c.yaml, line 3: spec.vni is required" }],
};

async function statusOf(view: unknown, ...args: readonly string[]) {
  await using agent = new StubAgent({ view: { ok: true, result: view } });
  const run = await cliRun(["status", "--socket", agent.socket, ...args]);
  deepEqual(agent.requests, [{ op: "view" }]);
  return run;
}

Deno.test("status() shows LANs and attachments in order", async () => {
  deepEqual(await statusOf(BUSY), {
    code: 0,
    err: "",
    out: `Node worker1, agent 0.1.0, process 4711

LAN                     VNI  STATE   UNDERLAY  MTU   SPOKES  ATTACHED  REACHED  RTT      PATH-MTU
k8slan-system/lan-test  222  Active  eth1      1426  2       2         2/2      0.81 ms  1426
lab/spare               7    Idle    eth1      -     1       0         -        -        -

LAN                     SPOKE  KIND     WORKLOAD        INTERFACE  MAC                MTU   TAP
k8slan-system/lan-test  pod1   macvtap  lab/router      net1       02:00:00:00:00:01  1426  /dev/tap1048577
k8slan-system/lan-test  -      veth     /run/netns/red  net1       -                  -     -
`,
  });
});

Deno.test("status() adds links, paths and ids when asked for all", async () => {
  const { out } = await statusOf(BUSY, "-o", "wide");
  const [, lans, links, attachments] = out.split("\n\n");
  equal(
    lans,
    `LAN                     VNI  STATE   UNDERLAY  MTU   SPOKES  ATTACHED  REACHED  RTT      PATH-MTU  NETNS   UID
k8slan-system/lan-test  222  Active  eth1      1426  2       2         2/2      0.81 ms  1426      knlvrf  8f3c
lab/spare               7    Idle    eth1      -     1       0         -        -        -         spare   file.lab.spare`,
  );
  equal(
    links,
    `LAN                     LINK  ROLE    STATE  MTU   MAC
k8slan-system/lan-test  br2   bridge  up     1426  02:00:00:00:00:0b
k8slan-system/lan-test  vx2   vxlan   down   1426  02:00:00:00:00:0c`,
  );
  match(attachments ?? "", /TAP +NETNS +ID\n.*\/run\/netns\/blue +c0ffee\n.* cli-red-0a1b2c3d\n$/);
});

Deno.test("status() shows what needs attention, and says so by its exit code", async () => {
  const { code, out } = await statusOf(SICK);
  equal(code, 3);
  equal(
    out.slice(out.indexOf("ABOUT")),
    `ABOUT  REASON      MESSAGE
lab/b  Conflict    vni "8" belongs to LAN "lab/a"
node   InvalidLan  c.yaml, line 3: spec.vni is required
`,
  );
});

Deno.test("status() names the nodes that are not reached, and says so by its exit code", async () => {
  const states = ["silent", "oneWay", "groupOnly", "smallOnly", "paused", "probing"] as const;
  const nodes = states.map((state) => ({
    ...{ node: state, state, lossPercent: 0, ...(state === "smallOnly" ? { mtu: 1334 } : {}) },
  }));
  const probe = { state: "Probing", peers: 6, reachable: 0, mtu: 1334, nodes } as const;
  const { code, out } = await statusOf({ ...BUSY, lans: [{ ...BUSY.lans[1]!, probe }] });
  equal(code, 3);
  match(out, / 0\/6\? +- +1334\n/);
  equal(
    out.slice(out.indexOf("ABOUT")).replaceAll("k8slan-system/", ""),
    `ABOUT                   REASON          MESSAGE
lan-test  Unreachable     Nothing is heard of node "silent"; look there, and at the underlay
lan-test  OneWay          Node "oneWay" is heard, but does not hear this one; look for what drops its frames
lan-test  UnicastBlocked  Node "groupOnly" gets what this one sends to all nodes, but not what is for it alone; look for what drops packets to its address
lan-test  MtuTooSmall     To or from node "smallOnly" frames above 1334 bytes are lost, though the LAN's MTU is 1426
`,
  );
});

Deno.test("status() says that there is nothing", async () => {
  const { code, out } = await statusOf({ ...BUSY, lans: [], attachments: [] });
  equal(code, 0);
  equal(out, "Node worker1, agent 0.1.0, process 4711\n\nNo LAN is configured.\n");
});

Deno.test("status() gives programs the agent's own view", async () => {
  const { code, out } = await statusOf(SICK, "-o", "json");
  equal(code, 3);
  deepEqual(JSON.parse(out), SICK);
});

Deno.test("status() finds the agent by the environment", async () => {
  await using agent = new StubAgent({ view: { ok: true, result: BUSY } });
  equal((await cliRun(["status"], { env: { K8SLAN_AGENT_SOCKET: agent.socket } })).code, 0);
});

Deno.test("status() says which agent does not answer, and what to do", async () => {
  const { code, out, err } = await cliRun(["status", "--socket", "/nonexistent/agent.sock"]);
  deepEqual([code, out], [1, ""]);
  equal(
    err,
    'k8slan: Agent at "/nonexistent/agent.sock" does not answer: No such file or directory ' +
      '(os error 2); start it with "k8slan agent", or say with --socket or K8SLAN_AGENT_SOCKET ' +
      "where its socket is\n",
  );
});

for (const view of [undefined, null, "", {}, { ...BUSY, lans: [{}] }, { ...BUSY, problems: {} }]) {
  Deno.test(`status() refuses the view ${JSON.stringify(view)?.slice(0, 40)}`, async () => {
    const { code, out, err } = await statusOf(view);
    deepEqual([code, out], [1, ""]);
    match(err, /^k8slan: Agent does not describe this node as expected; run the same version/);
  });
}
