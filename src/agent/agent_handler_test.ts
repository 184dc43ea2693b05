import assert from "node:assert/strict";
import { addRequest, AgentParts, POD1 } from "../../tests/support/agent_parts.ts";
import { codeIs } from "../../tests/support/codes.ts";
import { AgentHandler } from "./agent_handler.ts";

function handler(agent: AgentParts): AgentHandler {
  const { node, kernel, builder, registry, attachments, service, reconciler, log } = agent;
  const parts = { node, kernel, builder, registry, attachments, service, reconciler, log };
  return new AgentHandler({ ...parts, problems: () => [] });
}

const KEY = { containerId: "c1", ifname: "net1" };
const CHECK = { ...addRequest(), op: "check" } as const;

Deno.test("handle() attaches, configures, checks and detaches", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  const agentHandler = handler(agent);
  const added = await agentHandler.handle(addRequest());
  assert.equal(Reflect.get(Object(added), "spoke"), "pod1");
  const ips = [{ address: "192.0.2.7/24" }];
  await agentHandler.handle({ op: "configure", ...KEY, netns: POD1, ips, routes: [] });
  await agentHandler.handle(CHECK);
  await agentHandler.handle({ op: "del", ...KEY });
  assert.deepEqual(agent.snapshot(), before);
});

Deno.test("handle() of a check refuses what is not attached", async () => {
  using agent = new AgentParts();
  await assert.rejects(handler(agent).handle(CHECK), codeIs("UnknownContainer"));
});

Deno.test("handle() of a check refuses a configuration that is not valid", async () => {
  using agent = new AgentParts();
  await agent.add();
  await assert.rejects(
    handler(agent).handle({ ...CHECK, config: { name: "a", master: "eth0" } }),
    codeIs("InvalidConfig"),
  );
});

Deno.test("handle() of gc leaves what the runtime knows", async () => {
  using agent = new AgentParts();
  await agent.addBoth();
  await handler(agent).handle({ op: "gc", network: "net-a", valid: [KEY] });
  assert.deepEqual([...agent.attachments.all()].map(({ containerId }) => containerId), ["c1"]);
});

Deno.test("handle() shows the node, and that it is ready", async () => {
  using agent = new AgentParts();
  assert.equal(Reflect.get(Object(await handler(agent).handle({ op: "view" })), "node"), "worker1");
  assert.equal(await handler(agent).handle({ op: "ready" }), undefined);
});

Deno.test("undo() takes an attach back", async () => {
  using agent = new AgentParts();
  const before = agent.snapshot();
  await handler(agent).handle(addRequest());
  await handler(agent).undo(addRequest());
  assert.deepEqual(agent.snapshot(), before);
});

for (
  const request of [
    { op: "del", ...KEY },
    { op: "configure", ...KEY, netns: POD1, ips: [], routes: [] },
    { op: "gc", network: "net-a", valid: [] },
    CHECK,
  ] as const
) {
  Deno.test(`undo() of ${request.op} does nothing`, async () => {
    using agent = new AgentParts();
    await agent.add();
    const before = agent.snapshot();
    await handler(agent).undo(request);
    assert.deepEqual(agent.snapshot(), before);
  });
}
