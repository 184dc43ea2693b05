import assert from "node:assert/strict";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { StubAgent, type StubReply } from "../../tests/support/stub_agent.ts";
import { AgentAway, askAgent } from "./agent_client.ts";
import { CniError } from "./cni_error.ts";

Deno.test("askAgent() returns the result and sends one JSON line", async () => {
  await using agent = new StubAgent({ ready: { ok: true, result: { é: "x".repeat(100_000) } } });
  assert.deepEqual(await askAgent(agent.socket, { op: "ready" }, 5000), { é: "x".repeat(100_000) });
  assert.deepEqual(agent.requests, [{ op: "ready" }]);
});

Deno.test("askAgent() throws a refusal with the agent's code and words", async () => {
  const error = { code: 100, msg: 'Spoke "pod1" is in use', details: "by c2" };
  await using agent = new StubAgent({ ready: { ok: false, error } });
  await assert.rejects(askAgent(agent.socket, { op: "ready" }, 5000), (thrown) => {
    assert.ok(thrown instanceof CniError && !(thrown instanceof AgentAway));
    assert.deepEqual([thrown.code, thrown.message, thrown.details], [100, error.msg, "by c2"]);
    return true;
  });
});

Deno.test("askAgent() says that a request may have been carried out when its answer is lost", async () => {
  const cases: readonly [StubReply, number, RegExp][] = [
    ["close", 11, /closed the connection/],
    ["hang", 11, /did not answer within 0.2 s/],
    [{ raw: '{"ok":tr' }, 11, /closed the connection/],
    [{ raw: "x".repeat(MAX_MESSAGE_BYTES + 100_000) }, 11, /longer than/],
    [{ raw: "nonsense\n" }, 110, /does not understand/],
    [{ raw: "[]\n" }, 110, /does not understand/],
    [{ raw: '{"ok":false}\n' }, 110, /does not understand/],
    [{ raw: '{"ok":false,"error":{"code":"x","msg":1}}\n' }, 110, /does not understand/],
  ];
  for (const [reply, code, message] of cases) {
    await using agent = new StubAgent({ ready: reply });
    const deadlineMs = reply === "hang" ? 200 : 5000;
    await assert.rejects(askAgent(agent.socket, { op: "ready" }, deadlineMs), (thrown) => {
      assert.ok(thrown instanceof AgentAway);
      assert.deepEqual([thrown.code, thrown.sent], [code, true]);
      assert.match(thrown.message, message);
      assert.ok(thrown.message.includes(agent.socket));
      return true;
    });
  }
});

Deno.test("askAgent() names the socket where nobody listens", async () => {
  await using agent = new StubAgent();
  agent.stop();
  for (const socket of [agent.socket, `${agent.dir}/none`, `/${"x".repeat(200)}`]) {
    await assert.rejects(askAgent(socket, { op: "ready" }, 200), (thrown) => {
      assert.ok(thrown instanceof AgentAway);
      assert.deepEqual([thrown.code, thrown.sent], [11, false]);
      assert.ok(thrown.message.includes(socket) && thrown.message.includes("K8SLAN_AGENT_SOCKET"));
      return true;
    });
  }
});

Deno.test("askAgent() refuses a request that is larger than the agent takes", async () => {
  const request = {
    op: "add",
    containerId: "c1",
    ifname: "net1",
    netns: "/x",
    config: "x".repeat(MAX_MESSAGE_BYTES),
  } as const;
  await assert.rejects(askAgent("/nonexistent", request, 200), { code: 7, message: /larger than/ });
});
