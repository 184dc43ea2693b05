import assert from "node:assert/strict";
import { codeIs } from "../../tests/support/codes.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { type AgentAnswer, type AgentRequest, CniCode } from "../api/agent_protocol.ts";
import { MAX_MESSAGE_BYTES } from "../api/names.ts";
import { exchangeLine, NoAnswer } from "../base/line_exchange.ts";
import { SocketServer } from "./socket_server.ts";

const KEY = { containerId: "c1", ifname: "net1" };
const ADD = JSON.stringify({ op: "add", ...KEY, netns: "/run/netns/x", config: {} });
const READY = JSON.stringify({ op: "ready" });

/** A server in a directory of its own, whose handler answers as the test says. */
class ServedSocket implements AsyncDisposable {
  readonly log = new LogRecorder();
  readonly handled: AgentRequest[] = [];
  readonly undone: AgentRequest[] = [];
  readonly path: string;
  readonly #dir = new TempDir();
  readonly #stop = new AbortController();
  readonly #served: Promise<void>;

  constructor(
    handle: (request: AgentRequest) => unknown = () => undefined,
    limits: { connections?: number; deadlineMs?: number } = {},
    undo: () => void = () => {},
  ) {
    this.path = `${this.#dir.path}/agent.sock`;
    const handler = {
      handle: async (request: AgentRequest) => {
        this.handled.push(request);
        return await handle(request);
      },
      undo: (request: AgentRequest) => {
        this.undone.push(request);
        undo();
        return Promise.resolve();
      },
    };
    const all = { connections: 64, deadlineMs: 10_000, ...limits };
    this.#served = new SocketServer(this.path, handler, this.log, all).serve(this.#stop.signal);
  }

  async ask(line: string): Promise<AgentAnswer> {
    const limits = { deadlineMs: 10_000, maxLength: 1 << 21 };
    return JSON.parse(await exchangeLine(this.path, line, limits));
  }

  connect(): Promise<Deno.UnixConn> {
    return Deno.connect({ transport: "unix", path: this.path });
  }

  /** Stops the server; resolves when it has finished. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#dir[Symbol.dispose]();
  }
}

async function send(connection: Deno.UnixConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** What comes until the other side closes. */
async function receiveAll(connection: Deno.UnixConn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1 << 16);
  let text = "";
  for (let count; (count = await connection.read(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

Deno.test("serve() answers what the handler says", async () => {
  await using socket = new ServedSocket(() => ({ mtu: 1426 }));
  assert.deepEqual(await socket.ask(ADD), { ok: true, result: { mtu: 1426 } });
  assert.deepEqual(socket.handled, [JSON.parse(ADD)]);
});

Deno.test("serve() answers an empty object where there is no result", async () => {
  await using socket = new ServedSocket();
  assert.deepEqual(await socket.ask(READY), { ok: true, result: {} });
});

Deno.test("serve() answers a failure with its code, and logs it", async () => {
  await using socket = new ServedSocket(() => {
    throw new TypeError("oops");
  });
  const error = { code: CniCode.Internal, msg: "oops" };
  assert.deepEqual(await socket.ask(ADD), { ok: false, error });
  const [{ msg, op, code, error: why } = assert.fail()] = socket.log.records;
  assert.deepEqual({ msg, op, code, why }, {
    ...{ msg: "Request refused", op: "add", code: CniCode.Internal, why: "oops" },
  });
});

Deno.test("SocketServer lets nobody but its owner connect, and removes its socket when it is stopped", async () => {
  await using socket = new ServedSocket();
  assert.equal(Deno.statSync(socket.path).mode! & 0o777, 0o600);
  await socket.stop();
  assert.throws(() => Deno.lstatSync(socket.path), Deno.errors.NotFound);
});

Deno.test("SocketServer replaces a socket that nobody listens at", () => {
  using dir = new TempDir();
  const path = `${dir.path}/agent.sock`;
  Deno.listen({ transport: "unix", path }).close();
  const handler = { handle: () => Promise.resolve(), undo: () => Promise.resolve() };
  const stopped = AbortSignal.abort();
  return new SocketServer(path, handler, new LogRecorder()).serve(stopped);
});

for (
  const [what, make] of [
    ["a file", (path: string) => Deno.writeTextFileSync(path, "precious")],
    ["a directory", (path: string) => Deno.mkdirSync(path)],
    ["a link to a file", (path: string) => Deno.symlinkSync("/etc/hostname", path)],
  ] as const
) {
  Deno.test(`SocketServer refuses ${what} in its place and leaves it`, () => {
    using dir = new TempDir();
    const path = `${dir.path}/agent.sock`;
    make(path);
    const handler = { handle: () => Promise.resolve(), undo: () => Promise.resolve() };
    assert.throws(
      () => new SocketServer(path, handler, new LogRecorder()),
      codeIs("SocketClash"),
    );
    assert.ok(Deno.lstatSync(path));
  });
}

Deno.test("serve() answers several requests of one connection in their order", async () => {
  await using socket = new ServedSocket((request) => request.op);
  using connection = await socket.connect();
  await send(connection, `${READY}\n${ADD}\n`);
  await connection.closeWrite();
  const answers = (await receiveAll(connection)).trimEnd().split("\n");
  assert.deepEqual(answers.map((line) => JSON.parse(line).result), ["ready", "add"]);
});

Deno.test("serve() answers garbage and goes on with the connection", async () => {
  await using socket = new ServedSocket();
  using connection = await socket.connect();
  await send(connection, `\n\x00\xff{{{\n{"op":"exec"}\n${READY}\n`);
  await connection.closeWrite();
  const answers = (await receiveAll(connection)).trimEnd().split("\n").map((line) => {
    return JSON.parse(line);
  });
  assert.deepEqual(answers.map(({ ok, error }) => ok || error.code), [
    ...[CniCode.Decode, CniCode.Decode, CniCode.Decode],
    true,
  ]);
});

Deno.test("serve() serves a hundred connections that come at once", async () => {
  await using socket = new ServedSocket(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
  });
  const answers = await Promise.all(Array.from({ length: 100 }, () => socket.ask(ADD)));
  assert.ok(answers.every(({ ok }) => ok));
  assert.equal(socket.handled.length, 100);
});

Deno.test("serve() has no more than so many connections open, and the others wait", async () => {
  const gate = Promise.withResolvers<void>();
  await using socket = new ServedSocket(() => gate.promise, { connections: 3 });
  const answers = Array.from({ length: 10 }, () => socket.ask(ADD));
  await until("three are under way", () => socket.handled.length === 3);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(socket.handled.length, 3);
  gate.resolve();
  assert.ok((await Promise.all(answers)).every(({ ok }) => ok));
});

Deno.test("serve() says of a request that it is too long, and hangs up", async () => {
  await using socket = new ServedSocket();
  using connection = await socket.connect();
  await send(connection, "x".repeat(MAX_MESSAGE_BYTES + 1));
  const { ok, error } = JSON.parse(await receiveAll(connection));
  assert.deepEqual([ok, error.code], [false, CniCode.Decode]);
  assert.match(error.msg, /longer than 1048576 bytes/);
  assert.deepEqual(socket.handled, []);
});

Deno.test("serve() reads no more of a request that never ends", async () => {
  await using socket = new ServedSocket();
  using connection = await socket.connect();
  const megabyte = "x".repeat(MAX_MESSAGE_BYTES);
  await assert.rejects(async () => {
    for (let sent = 0; sent < 64; sent++) await send(connection, megabyte);
  });
});

for (
  const [what, text] of [
    ["says nothing", ""],
    ["never ends its request", ADD],
  ] as const
) {
  Deno.test(`serve() hangs up on a client that ${what}`, async () => {
    await using socket = new ServedSocket(() => {}, { deadlineMs: 200 });
    using connection = await socket.connect();
    await send(connection, text);
    assert.equal(await receiveAll(connection), "");
    assert.deepEqual(socket.handled, []);
  });
}

Deno.test("serve() hangs up on a client that sends a letter now and then", async () => {
  await using socket = new ServedSocket(() => {}, { deadlineMs: 50 });
  using connection = await socket.connect();
  await assert.rejects(async () => {
    for (let sent = 0; sent < 200; sent++) {
      await send(connection, "x");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});

Deno.test("serve() takes its time for what is asked", async () => {
  await using socket = new ServedSocket(
    () => new Promise((resolve) => setTimeout(resolve, 1_500)),
    { deadlineMs: 500 },
  );
  assert.equal((await socket.ask(ADD)).ok, true);
});

Deno.test("serve() undoes an attach whose asker hung up", async () => {
  const gate = Promise.withResolvers<void>();
  await using socket = new ServedSocket(() => gate.promise);
  const connection = await socket.connect();
  await send(connection, `${ADD}\n`);
  await until("it is under way", () => socket.handled.length === 1);
  connection.close();
  gate.resolve();
  await until("it is undone", () => socket.undone.length === 1);
  assert.deepEqual(socket.undone, [JSON.parse(ADD)]);
});

Deno.test("serve() undoes an attach whose answer is not taken in time", async () => {
  const long = { long: "x".repeat(8 << 20) };
  await using socket = new ServedSocket(() => long, { deadlineMs: 500 });
  using connection = await socket.connect();
  await send(connection, `${ADD}\n`);
  await until("it is undone", () => socket.undone.length === 1);
});

Deno.test("serve() undoes nothing of a failure that nobody hears of", async () => {
  const gate = Promise.withResolvers<void>();
  await using socket = new ServedSocket(async () => {
    await gate.promise;
    throw new Error("no");
  });
  const connection = await socket.connect();
  await send(connection, `${ADD}\n`);
  await until("it is under way", () => socket.handled.length === 1);
  connection.close();
  gate.resolve();
  await socket.stop();
  assert.deepEqual(socket.undone, []);
});

Deno.test("serve() says so when it cannot undo", async () => {
  const gate = Promise.withResolvers<void>();
  await using socket = new ServedSocket(() => gate.promise, {}, () => {
    throw new Error("stuck");
  });
  const connection = await socket.connect();
  await send(connection, `${ADD}\n`);
  await until("it is under way", () => socket.handled.length === 1);
  connection.close();
  gate.resolve();
  await until("it is said", () => socket.log.messages("error").length === 1);
  assert.equal((await socket.ask(READY)).ok, true);
});

Deno.test("serve() finishes what is under way when it is stopped, and takes no more", async () => {
  const gate = Promise.withResolvers<void>();
  await using socket = new ServedSocket(() => gate.promise);
  using connection = await socket.connect();
  await send(connection, `${ADD}\n${ADD}\n`);
  await until("it is under way", () => socket.handled.length === 1);
  const stopped = socket.stop();
  await assert.rejects(socket.ask(READY), NoAnswer);
  gate.resolve();
  assert.deepEqual(JSON.parse(await receiveAll(connection)), { ok: true, result: {} });
  await stopped;
  assert.equal(socket.handled.length, 1);
});

Deno.test("serve() does not wait for silent clients when it is stopped", async () => {
  await using socket = new ServedSocket();
  using connection = await socket.connect();
  await send(connection, `${READY}\n`);
  await until("it is served", () => socket.handled.length === 1);
  const started = performance.now();
  await socket.stop();
  assert.ok(performance.now() - started < 5000, "it waited for the client's deadline");
});

Deno.test("serve() ends at once when it was stopped before", async () => {
  using dir = new TempDir();
  const handler = { handle: () => Promise.resolve(), undo: () => Promise.resolve() };
  const server = new SocketServer(`${dir.path}/agent.sock`, handler, new LogRecorder());
  await server.serve(AbortSignal.abort());
});
