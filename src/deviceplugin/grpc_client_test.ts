import assert from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import type { GrpcHandler } from "./grpc_call.ts";
import { GrpcClient } from "./grpc_client.ts";
import { GrpcError, type GrpcStatus } from "./grpc_error.ts";
import { GrpcListener } from "./grpc_listener.ts";

const METHOD = "/test.Echo/Say";
const REQUEST = Uint8Array.of(1, 2, 3);

/** A server with one method, at "s" in `dir`. */
function serve(dir: TempDir, handler: GrpcHandler): GrpcListener {
  const listener = new GrpcListener(`${dir.path}/s`, new Map([[METHOD, handler]]));
  listener.listen();
  return listener;
}

const echo: GrpcHandler = (call) => {
  call.send(call.request);
  call.end();
};

async function failure(call: Promise<unknown>): Promise<GrpcError> {
  const error = await call.then(() => undefined, (error) => error);
  assert.ok(error instanceof GrpcError, `${error}`);
  return error;
}

Deno.test("GrpcClient answers with the server's message", async () => {
  using dir = new TempDir();
  using _server = serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  assert.deepEqual(await client.unary(METHOD, REQUEST, { deadline: 5_000 }), REQUEST);
});

Deno.test("GrpcClient takes an empty message for a message", async () => {
  using dir = new TempDir();
  using _server = serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  const answer = await client.unary(METHOD, new Uint8Array(), { deadline: 5_000 });
  assert.equal(answer.length, 0);
});

Deno.test("GrpcClient makes many calls at once", async () => {
  using dir = new TempDir();
  using _server = serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  const calls = Array.from(
    { length: 200 },
    (_, i) => client.unary(METHOD, Uint8Array.of(i), { deadline: 20_000 }),
  );
  const answers = await Promise.all(calls);
  assert.deepEqual(answers.map(([first]) => first), calls.map((_, i) => i));
});

const FAILURES: readonly (readonly [GrpcStatus, string])[] = [
  ["InvalidArgument", 'No device "pöd" – 100 %\n'],
  ["ResourceExhausted", "rejected by rate limit"],
  ["Unknown", "what kubelet says of most things"],
  ["Unimplemented", "not here"],
];

for (const [status, text] of FAILURES) {
  Deno.test(`GrpcClient fails with ${status} and the words of the server`, async () => {
    using dir = new TempDir();
    using _server = serve(dir, (call) => call.fail(status, text));
    using client = new GrpcClient(`${dir.path}/s`);
    const error = await failure(client.unary(METHOD, REQUEST, { deadline: 5_000 }));
    assert.deepEqual([error.code, error.message], [status, text]);
  });
}

Deno.test("GrpcClient fails with Unimplemented for a method that the server lacks", async () => {
  using dir = new TempDir();
  using _server = serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  const error = await failure(client.unary("/test.Echo/Nothing", REQUEST, { deadline: 5_000 }));
  assert.equal(error.code, "Unimplemented");
});

Deno.test("GrpcClient fails with Unavailable where nobody listens", async () => {
  using dir = new TempDir();
  using client = new GrpcClient(`${dir.path}/s`);
  const error = await failure(client.unary(METHOD, REQUEST, { deadline: 5_000 }));
  assert.deepEqual([error.code, error.retriable], ["Unavailable", true]);
  assert.match(error.message, /\/s"$/);
});

Deno.test("GrpcClient fails with Unavailable when the server goes while it thinks", async () => {
  using dir = new TempDir();
  const asked = Promise.withResolvers<void>();
  using server = serve(dir, () => asked.resolve());
  using client = new GrpcClient(`${dir.path}/s`);
  const failed = failure(client.unary(METHOD, REQUEST, { deadline: 20_000 }));
  await asked.promise;
  server[Symbol.dispose]();
  assert.equal((await failed).code, "Unavailable");
});

Deno.test("GrpcClient calls the next server at the same path", async () => {
  using dir = new TempDir();
  using client = new GrpcClient(`${dir.path}/s`);
  for (let round = 0; round < 5; round++) {
    using _server = serve(dir, echo);
    await until(
      "an answer of the new server", // the old connection may break with one call on it
      async () => (await client.unary(METHOD, REQUEST, { deadline: 5_000 })).length > 0,
    );
  }
});

Deno.test("GrpcClient fails with DeadlineExceeded at the deadline", async () => {
  using dir = new TempDir();
  using _server = serve(dir, () => {});
  using client = new GrpcClient(`${dir.path}/s`);
  const error = await failure(client.unary(METHOD, REQUEST, { deadline: 50 }));
  assert.equal(error.code, "DeadlineExceeded");
});

Deno.test("GrpcClient waits for a listener that has not begun to answer", async () => {
  using dir = new TempDir();
  using _listener = Deno.listen({ transport: "unix", path: `${dir.path}/s` });
  using client = new GrpcClient(`${dir.path}/s`);
  const error = await failure(client.unary(METHOD, REQUEST, { deadline: 100 }));
  assert.equal(error.code, "DeadlineExceeded");
});

Deno.test("GrpcClient fails with Cancelled when its caller gives up", async () => {
  using dir = new TempDir();
  const asked = Promise.withResolvers<void>();
  using _server = serve(dir, () => asked.resolve());
  using client = new GrpcClient(`${dir.path}/s`);
  const controller = new AbortController();
  const options = { deadline: 20_000, signal: controller.signal };
  const failed = failure(client.unary(METHOD, REQUEST, options));
  await asked.promise;
  controller.abort();
  assert.equal((await failed).code, "Cancelled");
  assert.equal((await failure(client.unary(METHOD, REQUEST, options))).code, "Cancelled");
});

Deno.test("GrpcClient refuses an answer longer than it was told to take", async () => {
  using dir = new TempDir();
  using _server = serve(dir, (call) => {
    call.send(new Uint8Array(5_000));
    call.end();
  });
  using client = new GrpcClient(`${dir.path}/s`);
  const call = (maxBytes: number) => client.unary(METHOD, REQUEST, { deadline: 5_000, maxBytes });
  assert.equal((await call(5_000)).length, 5_000);
  assert.equal((await failure(call(4_999))).code, "ResourceExhausted");
});
