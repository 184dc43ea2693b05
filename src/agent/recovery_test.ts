import assert from "node:assert/strict";
import { codeIs } from "../../tests/support/codes.ts";
import { AgentParts, POD1, POD2 } from "../../tests/support/agent_parts.ts";
import { FakeLink, FakeNetns } from "../../tests/support/fake_machine.ts";
import { SEED_UID, seedLan } from "../../tests/support/lan_fixture.ts";
import { type Attachment, attachmentKey } from "./attachment.ts";
import { HOST } from "../plan/ops.ts";
import { checkAttachment } from "./check.ts";
import { recover } from "./recovery.ts";

const DIR = "/run/k8slan/netns";
const NETNS = `${DIR}/knlvrf`;

/** What is attached, by its key. */
function attachments(agent: AgentParts): Map<string, Attachment> {
  return new Map(
    [...agent.attachments.all()].map((one) => [attachmentKey(one), one]),
  );
}

/** A node with a macvtap, a veth on a spoke and one without. */
async function running(): Promise<AgentParts> {
  const agent = new AgentParts();
  await agent.add();
  await agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2", attach: "veth" });
  await agent.add({ containerId: "c3", ifname: "net2", netns: POD2 }, { spoke: undefined });
  return agent;
}

Deno.test("recover() takes over what is attached, with all that is remembered of it", async () => {
  using agent = await running();
  await agent.service.configure({
    ...{ op: "configure", containerId: "c1", ifname: "net1", netns: POD1 },
    ...{ ips: [{ address: "192.0.2.7/24" }], routes: [] },
  });
  const before = agent.snapshot();
  const next = await agent.restart();
  assert.deepEqual(attachments(next), attachments(agent));
  assert.deepEqual(next.snapshot(), before);
});

Deno.test("recover() takes over what is attached by its marks alone", async () => {
  using agent = await running();
  const before = agent.snapshot();
  Deno.removeSync(agent.recordsDir, { recursive: true });
  const next = await agent.restart();
  assert.deepEqual(
    attachments(next),
    new Map([...attachments(agent)].map(([key, { target: _, details: __, ...marked }]) => {
      return [key, marked];
    })),
  );
  assert.deepEqual(next.snapshot(), before);
});

Deno.test("recover() does nothing on a node that has nothing", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  assert.equal(attachments(await agent.restart()).size, 0);
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("recover() takes over what is attached to a LAN that is configured no more", async () => {
  using agent = await running();
  const next = await agent.restart([]);
  assert.deepEqual(attachments(next), attachments(agent));
});

Deno.test("recover() lets what it took over be detached, with the LAN in the end", async () => {
  using untouched = new AgentParts();
  using agent = await running();
  Deno.removeSync(agent.recordsDir, { recursive: true });
  const next = await agent.restart();
  for (const { containerId, ifname } of [...next.attachments.all()]) {
    await next.service.del({ containerId, ifname });
  }
  assert.deepEqual(next.snapshot(), untouched.snapshot());
});

Deno.test("recover() keeps the tap index of what is attached for its spoke", async () => {
  using agent = new AgentParts();
  agent.taps.inUse("pod1", 2_000_000);
  await agent.add();
  const next = await agent.restart();
  assert.equal(next.taps.reserve("pod1"), 2_000_000);
});

Deno.test("recover() finishes nothing and leaves nothing, wherever an attach was cut off", async () => {
  using untouched = new AgentParts();
  for (let at = 0;; at++) {
    using agent = new AgentParts();
    let count = 0;
    // From operation `at` on nothing is done any more, the undo included: the agent was killed.
    agent.kernel.beforeOp = () => {
      if (count++ >= at) throw new Error("killed");
    };
    const [{ status }] = await Promise.allSettled([agent.add()]);
    if (status === "fulfilled") return;
    agent.healKernel();
    const next = await agent.restart();
    assert.deepEqual(next.snapshot(), untouched.snapshot(), `killed before operation ${at}`);
    await next.add();
  }
});

Deno.test("recover() removes an attach that was cut off, and leaves the others", async () => {
  using agent = await running();
  const before = agent.snapshot();
  agent.kernel.beforeOp = (op) => {
    if (op.op === "own-tap" || op.op === "delete-link") throw new Error("killed");
  };
  agent.registry.replace([seedLan({ spokes: ["pod1", "pod2", "pod9"] })]);
  await assert.rejects(
    agent.add({ containerId: "c4", ifname: "net9", netns: POD2 }, { spoke: "pod9" }),
    /killed/,
  );
  assert.notDeepEqual(agent.snapshot(), before);
  agent.healKernel();
  const next = await agent.restart();
  assert.deepEqual(next.snapshot(), before);
});

Deno.test("recover() removes a file that was to become a namespace", async () => {
  using agent = new AgentParts();
  const { files } = agent.kernel.machine;
  files.set(`${DIR}/half`, `k8slan lan=${SEED_UID} name=a/b\n`);
  await agent.restart();
  assert.equal(files.has(`${DIR}/half`), false);
});

Deno.test("recover() removes a LAN to which nothing is attached any more", async () => {
  using untouched = new AgentParts();
  using agent = new AgentParts();
  await agent.add();
  agent.failOps(({ op }) => op === "delete-netns");
  await agent.service.del({ containerId: "c1", ifname: "net1" }).catch(() => {});
  agent.healKernel();
  const next = await agent.restart();
  assert.deepEqual(next.snapshot(), untouched.snapshot());
});

Deno.test("recover() removes a host end whose LAN has lost its namespace", async () => {
  using agent = await running();
  const netns = agent.kernel.machine.files.get(NETNS)!;
  agent.kernel.machine.files.delete(NETNS);
  agent.kernel.machine.files.set("/proc/77/ns/net", netns);
  const next = await agent.restart();
  assert.equal(next.kernel.machine.host.links.has("pod1"), false);
  assert.equal(next.kernel.machine.host.links.has("eth1"), true);
});

for (
  const [what, file] of [
    ["a namespace that is not ours", new FakeNetns()],
    ["a file that is not ours", "precious"],
  ] as const
) {
  Deno.test(`recover() leaves ${what} alone, and what may belong to it`, async () => {
    using agent = await running();
    const ours = agent.kernel.machine.files.get(NETNS)!;
    agent.kernel.machine.files.set(NETNS, file);
    agent.kernel.machine.files.set("/proc/77/ns/net", ours);
    const before = agent.snapshot();
    const next = await agent.restart();
    assert.deepEqual(next.snapshot(), before);
    // Read again one day, it is known again.
    agent.kernel.machine.files.set(NETNS, ours);
    assert.deepEqual(attachments(await next.restart()), attachments(agent));
  });
}

Deno.test("recover() leaves links alone that a person put into a LAN", async () => {
  using agent = await running();
  const { machine } = agent.kernel;
  const lan = machine.files.get(NETNS);
  assert.ok(lan instanceof FakeNetns);
  const near = new FakeLink(machine.host, { name: "probe0", attrs: { kind: "veth" } });
  const far = new FakeLink(lan, { name: "probe1", attrs: { kind: "veth" } });
  near.peer = far;
  far.peer = near;
  machine.add("add a pair", near, far);
  const before = agent.snapshot();
  const next = await agent.restart();
  await next.reconciler.reconcile(SEED_UID);
  assert.deepEqual(next.snapshot(), before);
});

Deno.test("recover() that cannot read a LAN deletes nothing, and takes it over later", async () => {
  using agent = await running();
  const before = agent.snapshot();
  const next = new AgentParts(undefined, agent);
  const observe = next.kernel.observe;
  next.kernel.observe = () => {
    throw new Error("too many open files");
  };
  await recover(next);
  assert.deepEqual(next.log.messages("error"), ["Cannot take over LAN"]);
  next.kernel.observe = observe;
  await next.reconciler.reconcile(SEED_UID);
  assert.deepEqual(next.snapshot(), before);
  assert.deepEqual(attachments(next), attachments(agent));
});

Deno.test("recover() goes on after a port that cannot be removed, and it goes later", async () => {
  using untouched = new AgentParts();
  using agent = new AgentParts();
  agent.failOps(({ op }) => op === "own-tap" || op === "delete-link");
  await assert.rejects(agent.add());
  const next = await agent.restart();
  agent.healKernel();
  await next.reconciler.reconcile(SEED_UID);
  assert.deepEqual(next.snapshot(), untouched.snapshot());
});

Deno.test("recover() forgets records of what went together with its workload", async () => {
  using agent = await running();
  agent.kernel.machine.remove(agent.kernel.link(NETNS, "pod1.b"));
  agent.kernel.machine.removePath(POD1);
  const next = await agent.restart();
  assert.deepEqual([...next.records.readAll().keys()].toSorted(), ["c2@net1", "c3@net2"]);
});

Deno.test("recover() keeps what lost its links while its workload lives, for the next look", async () => {
  using agent = await running();
  agent.kernel.machine.remove(agent.kernel.link(NETNS, "pod1.b"));
  const next = await agent.restart();
  const attachment = next.attachments.get("c1@net1")!;
  assert.throws(() => checkAttachment(next, attachment), codeIs("Drift"));
  await next.reconciler.reconcile(SEED_UID);
  checkAttachment(next, attachment);
});

Deno.test("recover() confirms what was announced and has its mark, and forgets what has none", async () => {
  using agent = await running();
  const done = agent.attachments.get("c1@net1")!;
  agent.records.remove("c1@net1");
  agent.records.announce(done);
  agent.records.announce({ ...done, containerId: "c9", port: "pod9.b" });
  const next = await agent.restart();
  assert.deepEqual([...next.records.readAll().keys()].toSorted(), [
    ...["c1@net1", "c2@net1", "c3@net2"],
  ]);
  assert.equal(next.records.isAnnounced("c1@net1"), false);
});

Deno.test("recover() takes over by the mark where the record is damaged", async () => {
  using agent = await running();
  Deno.writeTextFileSync(`${agent.recordsDir}/c1@net1.json`, "{");
  const next = await agent.restart();
  const { details, target, port } = next.attachments.get("c1@net1")!;
  assert.deepEqual([details, target, port], [undefined, undefined, "pod1.b"]);
});

Deno.test("recover() believes the mark where the record tells of another port", async () => {
  using agent = await running();
  const record = agent.attachments.get("c1@net1")!;
  agent.records.write({ ...record, port: "pod2.b" });
  const next = await agent.restart();
  assert.deepEqual(
    [...next.attachments.all()].map(({ containerId, port }) => [containerId, port]).toSorted(),
    [...agent.attachments.all()].map(({ containerId, port }) => [containerId, port]).toSorted(),
  );
});

Deno.test("recover() leaves the host's own links alone", async () => {
  using agent = new AgentParts();
  const { machine } = agent.kernel;
  const near = new FakeLink(machine.host, { name: "veth0", attrs: { kind: "veth" } });
  near.alias = "somebody else's";
  machine.add("add a veth", near);
  await agent.restart();
  assert.equal(agent.kernel.link(HOST, "veth0"), near);
});
