import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { handleUnaryCall, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { GrpcClient } from "./grpc_client.ts";
import { GrpcError, type GrpcStatus } from "./grpc_error.ts";
import { GrpcListener } from "./grpc_listener.ts";

const METHOD = "/test.Echo/Say";
const REQUEST = Uint8Array.of(1, 2, 3);

type Handler = handleUnaryCall<Buffer, Buffer>;

const bytes = (buffer: Buffer) => buffer;
const SERVICE: { readonly say: MethodDefinition<Buffer, Buffer> } = {
  say: {
    path: METHOD,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

/** A server with one method, at "s" in `dir`. */
async function serve(dir: TempDir, handler: Handler): Promise<GrpcListener> {
  const listener = new GrpcListener(`${dir.path}/s`, SERVICE, { say: handler });
  await listener.listen();
  return listener;
}

const echo: Handler = (call, answer) => answer(null, call.request);

async function failure(call: Promise<unknown>): Promise<GrpcError> {
  const error = await call.then(() => undefined, (error) => error);
  assert.ok(error instanceof GrpcError, `${error}`);
  return error;
}

Deno.test("GrpcClient answers with the server's message", async () => {
  using dir = new TempDir();
  using _server = await serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  assert.deepEqual(await client.unary(METHOD, REQUEST, { deadline: 5_000 }), REQUEST);
});

Deno.test("GrpcClient takes an empty message for a message", async () => {
  using dir = new TempDir();
  using _server = await serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  const answer = await client.unary(METHOD, new Uint8Array(), { deadline: 5_000 });
  assert.equal(answer.length, 0);
});

Deno.test("GrpcClient makes many calls at once", async () => {
  using dir = new TempDir();
  using _server = await serve(dir, echo);
  using client = new GrpcClient(`${dir.path}/s`);
  const calls = Array.from(
    { length: 200 },
    (_, i) => client.unary(METHOD, Uint8Array.of(i), { deadline: 20_000 }),
  );
  const answers = await Promise.all(calls);
  assert.deepEqual(answers.map(([first]) => first), calls.map((_, i) => i));
});

const FAILURES: readonly { code: number; status: GrpcStatus; details: string }[] = [
  { code: 3, status: "InvalidArgument", details: 'No device "pöd" – 100 %' },
  { code: 8, status: "ResourceExhausted", details: "rejected by rate limit" },
  { code: 2, status: "Unknown", details: "what kubelet says of most things" },
  { code: 12, status: "Unimplemented", details: "not here" },
];

for (const { code, status, details } of FAILURES) {
  Deno.test(`GrpcClient fails with ${status} and the words of the server`, async () => {
    using dir = new TempDir();
    using _server = await serve(dir, (_call, answer) => {
      const error: Partial<ServiceError> = { code, details };
      answer(error);
    });
    using client = new GrpcClient(`${dir.path}/s`);
    const error = await failure(client.unary(METHOD, REQUEST, { deadline: 5_000 }));
    assert.deepEqual([error.code, error.message], [status, details]);
  });
}

Deno.test("GrpcClient fails with Unimplemented for a method that the server lacks", async () => {
  using dir = new TempDir();
  using _server = await serve(dir, echo);
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
  using server = await serve(dir, () => asked.resolve());
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
    using _server = await serve(dir, echo);
    await until(
      "an answer of the new server", // the old connection may break with one call on it
      async () => (await client.unary(METHOD, REQUEST, { deadline: 5_000 })).length > 0,
    );
  }
});

Deno.test("GrpcClient fails with DeadlineExceeded at the deadline", async () => {
  using dir = new TempDir();
  using _server = await serve(dir, () => {});
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
  using _server = await serve(dir, () => asked.resolve());
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
  using _server = await serve(dir, (_call, answer) => answer(null, Buffer.alloc(5_000)));
  using client = new GrpcClient(`${dir.path}/s`);
  const call = (maxBytes: number) => client.unary(METHOD, REQUEST, { deadline: 5_000, maxBytes });
  assert.equal((await call(5_000)).length, 5_000);
  assert.equal((await failure(call(4_999))).code, "ResourceExhausted");
});
