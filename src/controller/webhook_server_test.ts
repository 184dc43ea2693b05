import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { LOOPBACK_NAMES, reviewOf } from "../../tests/support/webhook_stage.ts";
import { until } from "../../tests/support/until.ts";
import { issueAuthority, issueServing } from "./cert_issue.ts";
import { WebhookHandler } from "./webhook_http.ts";
import { type ServingPair, WebhookServer } from "./webhook_server.ts";

const TERM = { notBefore: new Date(Date.now() - 9e6), notAfter: new Date(Date.now() + 9e6) };
const authority = await issueAuthority("authority", TERM);

async function newPair(): Promise<ServingPair> {
  return await issueServing(authority, LOOPBACK_NAMES, TERM);
}

/** For tests of those who try it; others may be held up for longer. */
const SHORT_PATIENCE_MS = 300;

async function start(patienceMs = 30_000): Promise<WebhookServer> {
  const handler = new WebhookHandler({
    "/validate-lan": {
      decide: () => Promise.resolve({ kind: "allowed", answer: { allowed: true, warnings: [] } }),
    },
  });
  const log = new LogRecorder();
  const server = new WebhookServer({
    ...{ handler, log, hostname: "127.0.0.1", port: 0, patienceMs },
  });
  await server.listen();
  return server;
}

class Client implements Disposable {
  readonly #http = Deno.createHttpClient({ caCerts: [authority.certificate] });
  readonly #url: string;

  constructor({ port }: WebhookServer) {
    this.#url = `https://localhost:${port}/validate-lan`;
  }

  async post(body: BodyInit, headers: HeadersInit = JSON_TYPE): Promise<number> {
    const answer = await fetch(this.#url, { client: this.#http, method: "POST", headers, body });
    await answer.body?.cancel();
    return answer.status;
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }
}

const JSON_TYPE = { "content-type": "application/json" };
const REVIEW = reviewOf({});

/** Sends `text` and returns what comes until the server ends the connection. */
async function exchange(connection: Deno.Conn, text: string): Promise<string> {
  using _connection = connection;
  const parts: string[] = [];
  try {
    if (text !== "") await connection.write(new TextEncoder().encode(text));
    for await (const bytes of connection.readable) parts.push(new TextDecoder().decode(bytes));
  } catch { /* as good as an end */ }
  return parts.join("");
}

async function connectTls({ port }: WebhookServer): Promise<Deno.TlsConn> {
  return await Deno.connectTls({ hostname: "localhost", port, caCerts: [authority.certificate] });
}

Deno.test("WebhookServer serves as soon as it has a certificate", async () => {
  await using server = await start();
  using client = new Client(server);
  await assert.rejects(client.post(REVIEW));
  server.use(await newPair());
  assert.equal(await client.post(REVIEW), 200);
});

Deno.test("WebhookServer keeps connections when its certificate changes", async () => {
  await using server = await start();
  server.use(await newPair());
  using connection = await connectTls(server);
  const request = `POST /validate-lan HTTP/1.1\r\nHost: localhost\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${REVIEW.length}\r\n\r\n${REVIEW}`;
  const buffer = new Uint8Array(10_000);
  for (let round = 0; round < 3; round++) {
    server.use(await newPair());
    await connection.write(new TextEncoder().encode(request));
    const text = new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    assert.match(text, /^HTTP\/1.1 200 /);
  }
});

Deno.test("WebhookServer ends connections of those who don't speak as they should", async () => {
  await using server = await start(SHORT_PATIENCE_MS);
  server.use(await newPair());
  const { port } = server;
  const plain = () => Deno.connect({ hostname: "127.0.0.1", port });
  const tls = () => connectTls(server);
  const head = "POST /validate-lan HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  const cases: readonly (readonly [() => Promise<Deno.Conn>, string])[] = [
    [plain, ""],
    [plain, "GET / HTTP/1.1\r\n\r\n"],
    [tls, ""],
    [tls, "GARBAGE\r\n\r\n"],
    [tls, `${head}X: ${"y".repeat(100_000)}\r\n\r\n`],
    [tls, `${head}Content-Length: 1000\r\n\r\n{`],
    [tls, `${head}Transfer-Encoding: chunked\r\n\r\nzzz\r\n`],
    [tls, `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [tls, "GET /validate-lan HTTP/1.1\r\nHost: x\r\n\r\n"],
  ];
  await Promise.all(cases.map(async ([connect, text]) => {
    assert.ok(!/ 200 /.test(await exchange(await connect(), text)), text);
  }));
  using client = new Client(server);
  assert.equal(await client.post(REVIEW), 200);
});

Deno.test("WebhookServer refuses bodies that are too large, as they come", async () => {
  await using server = await start();
  server.use(await newPair());
  using client = new Client(server);
  const big = new Uint8Array(4 << 20);
  for (const body of [big, new Blob([big]).stream()]) {
    // Refused while it is still being sent: the answer or the end of the connection comes first.
    const status = await client.post(body).catch(() => 413);
    assert.equal(status, 413);
  }
  assert.equal(await client.post("[1]"), 400);
  assert.equal(await client.post(REVIEW, { "content-type": "text/plain" }), 415);
  assert.equal(await client.post(REVIEW), 200);
});

Deno.test("WebhookServer turns away more connections than it can have, until some end", async () => {
  await using server = await start(SHORT_PATIENCE_MS);
  server.use(await newPair());
  const silent = await Promise.all(
    Array.from({ length: 300 }, () => Deno.connect({ hostname: "127.0.0.1", port: server.port })),
  );
  try {
    using client = new Client(server);
    await until("it serves again", async () => await client.post(REVIEW) === 200);
  } finally {
    for (const connection of silent) connection.close();
  }
});

Deno.test("WebhookServer ends within its time, idle connections or not", async () => {
  const server = await start();
  server.use(await newPair());
  using client = new Client(server);
  assert.equal(await client.post(REVIEW), 200);
  const started = performance.now();
  await server[Symbol.asyncDispose]();
  // Earlier than it ends connections by force.
  assert.ok(performance.now() - started < 2_900);
  await assert.rejects(client.post(REVIEW));
});
