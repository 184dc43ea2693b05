import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { StubAgent } from "../../tests/support/stub_agent.ts";
import { exchangeLine, NoAnswer } from "./line_exchange.ts";

const LIMITS = { deadlineMs: 5_000, maxLength: 1_000 };
const LINE = JSON.stringify({ op: "ready" });

Deno.test("exchangeLine() sends a line and returns the one that comes back", async () => {
  await using agent = new StubAgent({ ready: { raw: "héllo\nmore\n" } });
  equal(await exchangeLine(agent.socket, LINE, LIMITS), "héllo");
  deepEqual(agent.ops, ["ready"]);
});

Deno.test("exchangeLine() says that nothing was sent when nobody listens", async () => {
  const error = await failure(exchangeLine("/nonexistent/agent.sock", LINE, LIMITS));
  equal(error.sent, false);
  ok(error.cause instanceof Deno.errors.NotFound);
});

Deno.test("exchangeLine() gives up at the deadline", async () => {
  await using agent = new StubAgent({ ready: "hang" });
  const error = await failure(exchangeLine(agent.socket, LINE, { ...LIMITS, deadlineMs: 50 }));
  equal(error.sent, true);
  equal(error.message, "it did not answer within 0.05 s");
});

for (
  const [what, reply, message] of [
    ["a closed connection", "close", "it closed the connection before it answered"],
    ["half a line", { raw: "half" }, "it closed the connection before it answered"],
    ["an endless line", { raw: "x".repeat(2_000) }, "its answer is longer than 1000 characters"],
  ] as const
) {
  Deno.test(`exchangeLine() refuses ${what}`, async () => {
    await using agent = new StubAgent({ ready: reply });
    equal((await failure(exchangeLine(agent.socket, LINE, LIMITS))).message, message);
  });
}

async function failure(promise: Promise<unknown>): Promise<NoAnswer> {
  let caught: unknown;
  await rejects(promise, (error) => (caught = error, true));
  ok(caught instanceof NoAnswer);
  return caught;
}
