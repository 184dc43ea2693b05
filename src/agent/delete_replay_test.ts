import assert from "node:assert/strict";
import { AgentParts, POD1 } from "../../tests/support/agent_parts.ts";
import { SEED_UID } from "../../tests/support/lan_fixture.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { until } from "../../tests/support/until.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { enqueueDelete, forgetDelete, readDeletes } from "../base/delete_queue.ts";
import { DeleteReplay } from "./delete_replay.ts";

const C1 = { op: "del", containerId: "c1", ifname: "net1", netns: POD1 } as const;
const C2 = { op: "del", containerId: "c2", ifname: "net1" } as const;

/** A node with two attachments, and a queue. */
async function queued(dir: TempDir): Promise<{ agent: AgentParts; replay: DeleteReplay }> {
  const agent = new AgentParts();
  await agent.addBoth();
  return { agent, replay: new DeleteReplay(dir.path, agent.service, agent.log) };
}

const held = (agent: AgentParts) =>
  [...agent.attachments.all()].map(({ containerId }) => containerId);

Deno.test("run() detaches what is queued, and empties the queue", async () => {
  using dir = new TempDir();
  const { agent, replay } = await queued(dir);
  using _agent = agent;
  enqueueDelete(dir.path, C1);
  await replay.run();
  assert.deepEqual(held(agent), ["c2"]);
  assert.deepEqual(readDeletes(dir.path), []);
});

Deno.test("run() forgets what was never attached", async () => {
  using dir = new TempDir();
  const { agent, replay } = await queued(dir);
  using _agent = agent;
  enqueueDelete(dir.path, { ...C1, containerId: "c9" });
  await replay.run();
  assert.deepEqual(held(agent), ["c1", "c2"]);
  assert.deepEqual(readDeletes(dir.path), []);
});

Deno.test("run() goes on after a failure and keeps that for the next time", async () => {
  using dir = new TempDir();
  const { agent, replay } = await queued(dir);
  using _agent = agent;
  enqueueDelete(dir.path, C1);
  enqueueDelete(dir.path, C2);
  agent.failOps((op) => op.op === "delete-link" && op.name === "pod1.b");
  await replay.run();
  assert.deepEqual(held(agent), ["c1"]);
  assert.deepEqual(readDeletes(dir.path).map(({ request }) => request), [C1]);
  assert.ok(agent.log.messages("warn").includes("Cannot replay detach"));
  agent.healKernel();
  await replay.run();
  assert.deepEqual(held(agent), []);
});

Deno.test("run() leaves an interface whose detach was forgotten while it was at others", async () => {
  using dir = new TempDir();
  const { agent, replay } = await queued(dir);
  using _agent = agent;
  enqueueDelete(dir.path, C1);
  enqueueDelete(dir.path, C2);
  const turn = Promise.withResolvers<void>();
  const holding = agent.mutex.run(SEED_UID, () => turn.promise);
  const running = replay.run();
  forgetDelete(dir.path, C2);
  turn.resolve();
  await Promise.all([holding, running]);
  assert.deepEqual(held(agent), ["c2"]);
});

Deno.test("repeat() looks soon after it began, for what was queued meanwhile, and each minute", async () => {
  using dir = new TempDir();
  using agent = new AgentParts();
  await agent.addBoth();
  const clock = new FakeClock();
  const stop = new AbortController();
  const replay = new DeleteReplay(dir.path, agent.service, agent.log, clock);
  const repeating = replay.repeat(stop.signal);
  enqueueDelete(dir.path, C1);
  await clock.advance(2_000);
  await until("the first is detached", () => held(agent).join() === "c2");
  await until("it waits again", () => clock.sleepers === 1);
  enqueueDelete(dir.path, C2);
  await clock.advance(59_999);
  assert.deepEqual(held(agent), ["c2"]);
  await clock.advance(1);
  await until("the second is detached", () => held(agent).length === 0);
  stop.abort();
  await repeating;
});

Deno.test("run() without a queue does nothing", async () => {
  using dir = new TempDir();
  using agent = new AgentParts();
  await new DeleteReplay(`${dir.path}/none`, agent.service, agent.log).run();
  assert.deepEqual(agent.log.records, []);
});

Deno.test("run() twice at once detaches once", async () => {
  using dir = new TempDir();
  const { agent, replay } = await queued(dir);
  using _agent = agent;
  enqueueDelete(dir.path, C1);
  await Promise.all([replay.run(), replay.run()]);
  assert.deepEqual(held(agent), ["c2"]);
  assert.deepEqual(agent.log.messages("warn"), []);
});
