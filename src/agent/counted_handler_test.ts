import assert from "node:assert/strict";
import type { AgentRequest } from "../api/agent_protocol.ts";
import { K8slanError } from "../base/errors.ts";
import { CountedHandler } from "./counted_handler.ts";

const READY: AgentRequest = { op: "ready" };
const DEL: AgentRequest = { op: "del", containerId: "c1", ifname: "net1" };

Deno.test("CountedHandler counts by what was asked and what came of it", async () => {
  const answers: (() => unknown)[] = [
    () => "a",
    () => "b",
    () => {
      throw new K8slanError("SpokeInUse", "m");
    },
    () => {
      throw new TypeError("m");
    },
  ];
  const counted = new CountedHandler({
    handle: async () => await answers.shift()!(),
    undo: () => Promise.resolve(),
  });
  assert.equal(await counted.handle(READY), "a");
  assert.equal(await counted.handle(READY), "b");
  await assert.rejects(() => counted.handle(DEL), { code: "SpokeInUse" });
  await assert.rejects(() => counted.handle(DEL), TypeError);
  const [requests, seconds] = counted.metrics();
  assert.deepEqual(requests?.samples, [
    { labels: { op: "ready", result: "ok" }, value: 2 },
    { labels: { op: "del", result: "SpokeInUse" }, value: 1 },
    { labels: { op: "del", result: "Internal" }, value: 1 },
  ]);
  assert.deepEqual(seconds?.samples.map(({ labels }) => labels), [
    { op: "ready", result: "ok" },
    { op: "del", result: "SpokeInUse" },
    { op: "del", result: "Internal" },
  ]);
});

Deno.test("CountedHandler takes back through the handler", async () => {
  const undone: AgentRequest[] = [];
  const counted = new CountedHandler({
    handle: () => Promise.resolve(),
    undo: (request) => Promise.resolve(void undone.push(request)),
  });
  await counted.undo(DEL);
  assert.deepEqual(undone, [DEL]);
});
