import assert from "node:assert/strict";
import { Http2Client } from "../../../tests/support/http2_client.ts";
import { randomInts } from "../../../tests/support/random.ts";
import { until } from "../../../tests/support/until.ts";
import { encodeFrame, ErrorCode, Flag, FRAME_MAX, FrameType, PREFACE, uint32 } from "./frame.ts";
import { encodeHeaders, type Header } from "./hpack.ts";
import type { Http2Stream } from "./stream.ts";

const REQUEST: readonly Header[] = [[":method", "POST"], [":path", "/echo"]];
const HEAD: readonly Header[] = [[":status", "200"]];
const TAIL: readonly Header[] = [["grpc-status", "0"]];

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE } = FrameType;
const { CONTINUATION, PUSH_PROMISE } = FrameType;
const { END_STREAM, END_HEADERS, ACK, PADDED } = Flag;

function echo(stream: Http2Stream): void {
  stream.respond(HEAD);
  stream.write(stream.body());
  stream.end(TAIL);
}

function headers(stream: number, flags: number = END_HEADERS): Uint8Array {
  return encodeFrame(HEADERS, flags, stream, encodeHeaders(REQUEST));
}

function data(
  stream: number,
  bytes: readonly number[] | Uint8Array,
  flags: number = END_STREAM,
): Uint8Array {
  return encodeFrame(DATA, flags, stream, bytes);
}

Deno.test("Http2Connection greets with its settings and acknowledges the client's", async () => {
  await using client = new Http2Client(echo);
  await client.send(PREFACE, encodeFrame(SETTINGS, 0, 0));
  assert.match(await client.next(), /^SETTINGS 0 stream 0/);
  assert.equal(await client.next(), "SETTINGS 1 stream 0");
});

Deno.test("Http2Connection answers a request with headers, data and trailers", async () => {
  await using client = await Http2Client.greeted(echo);
  await client.send(headers(1), data(1, [1, 2, 3]));
  assert.equal(await client.next(), "HEADERS 4 stream 1 :status=200");
  assert.equal(await client.next(), "DATA 0 stream 1 010203");
  assert.equal(await client.next(), "HEADERS 5 stream 1 grpc-status=0");
});

Deno.test("Http2Connection understands a request that comes in single bytes", async () => {
  await using client = new Http2Client(echo);
  const request = [PREFACE, encodeFrame(SETTINGS, 0, 0), headers(1), data(1, [1, 2])];
  for (const byte of request.flatMap((bytes) => [...bytes])) await client.send(Uint8Array.of(byte));
  await client.nextLike(/^DATA 0 stream 1 0102$/);
});

Deno.test("Http2Connection understands padding, priority and continued headers", async () => {
  await using client = await Http2Client.greeted(echo);
  const block = encodeHeaders(REQUEST);
  await client.send(
    encodeFrame(HEADERS, PADDED | Flag.PRIORITY, 1, [
      2,
      ...[0, 0, 0, 0, 16],
      ...block.subarray(0, 5),
      ...[0, 0],
    ]),
    encodeFrame(CONTINUATION, 0, 1, block.subarray(5, 6)),
    encodeFrame(CONTINUATION, END_HEADERS, 1, block.subarray(6)),
    encodeFrame(PRIORITY, 0, 1, [0, 0, 0, 0, 1]),
    data(1, [3, 7, 8, 0, 0, 0], END_STREAM | PADDED),
  );
  await client.nextLike(/^DATA 0 stream 1 0708$/);
});

Deno.test("Http2Connection serves streams side by side", async () => {
  const streams: Http2Stream[] = [];
  await using client = await Http2Client.greeted((stream) => void streams.push(stream));
  await client.send(headers(1), headers(3), data(3, [3]), data(1, [1]));
  await until("both requests", () => streams.length === 2);
  for (const stream of streams) echo(stream);
  assert.equal(await client.next(), "HEADERS 4 stream 3 :status=200");
  await client.nextLike(/^HEADERS 5 stream 3/);
  await client.nextLike(/^HEADERS 5 stream 1/);
});

Deno.test("Http2Connection answers pings, but not answers to pings", async () => {
  await using client = await Http2Client.greeted(echo);
  const payload = [1, 2, 3, 4, 5, 6, 7, 8];
  await client.send(encodeFrame(PING, ACK, 0, payload), encodeFrame(PING, 0, 0, payload));
  assert.equal(await client.next(), "PING 1 stream 0 0102030405060708");
  await client.send(encodeFrame(0x77, 0, 0, [1]), encodeFrame(PING, 0, 0, payload));
  assert.equal(await client.next(), "PING 1 stream 0 0102030405060708");
});

Deno.test("Http2Connection sends no more data than the client has room for", async () => {
  await using client = await Http2Client.greeted(echo);
  await client.send(
    encodeFrame(SETTINGS, 0, 0, [0, 4, ...uint32(2)]),
    headers(1),
    data(1, [1, 2, 3, 4, 5, 6, 7]),
  );
  assert.equal(await client.next(), "SETTINGS 1 stream 0");
  assert.equal(await client.next(), "HEADERS 4 stream 1 :status=200");
  assert.equal(await client.next(), "DATA 0 stream 1 0102");
  await client.send(encodeFrame(WINDOW_UPDATE, 0, 1, uint32(3)));
  assert.equal(await client.next(), "DATA 0 stream 1 030405");
  await client.send(encodeFrame(SETTINGS, 0, 0, [0, 4, ...uint32(3)])); // one more than before
  assert.equal(await client.next(), "SETTINGS 1 stream 0");
  assert.equal(await client.next(), "DATA 0 stream 1 06");
  await client.send(encodeFrame(WINDOW_UPDATE, 0, 1, uint32(100)));
  assert.equal(await client.next(), "DATA 0 stream 1 07");
  assert.equal(await client.next(), "HEADERS 5 stream 1 grpc-status=0");
});

Deno.test("Http2Connection shares the room of the connection, and sends what is long in parts", async () => {
  await using client = await Http2Client.greeted((stream) => {
    stream.respond(HEAD);
    stream.write(new Uint8Array(100_000));
    stream.end(TAIL);
  });
  await client.send(
    encodeFrame(SETTINGS, 0, 0, [0, 4, ...uint32(1_000_000)]),
    headers(1, END_HEADERS | END_STREAM),
  );
  let bytes = 0;
  const take = async () => {
    const frame = await client.next();
    const part = /^DATA 0 stream 1 (.*)$/.exec(frame)?.[1] ?? "";
    assert.ok(part.length / 2 <= FRAME_MAX);
    bytes += part.length / 2;
  };
  while (bytes < 65_535) await take();
  assert.equal(bytes, 65_535);
  await client.send(encodeFrame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  while (bytes < 100_000) await take();
  assert.equal(await client.next(), "HEADERS 5 stream 1 grpc-status=0");
});

Deno.test("Http2Connection gives the client room for a long request", async () => {
  let length = 0;
  await using client = await Http2Client.greeted((stream) => void (length = stream.bodyBytes));
  await client.send(headers(1));
  for (let i = 0; i < 40; i++) await client.send(data(1, new Uint8Array(10_000), 0));
  await client.send(data(1, []));
  await until("the request", () => length === 400_000);
  let room = 0;
  while (room < 300_000) {
    const update = await client.nextLike(/^WINDOW_UPDATE 0 stream 0/);
    room += parseInt(update.split(" ").at(-1) ?? "", 16);
  }
});

Deno.test("Http2Connection says when a stream is over, whoever ended it", async () => {
  const open = new Set<number>();
  await using client = await Http2Client.greeted((stream) => {
    open.add(stream.id);
    stream.onClosed = () => open.delete(stream.id);
    stream.respond(HEAD);
    if (stream.id === 1) stream.end(TAIL);
  });
  for (const id of [1, 3, 5]) await client.send(headers(id, END_HEADERS | END_STREAM));
  await until("two open streams", () => open.size === 2);
  await client.send(encodeFrame(RST_STREAM, 0, 3, uint32(ErrorCode.CANCEL)));
  await until("one open stream", () => open.size === 1);
  client.hangUp();
  await until("no open stream", () => open.size === 0);
});

Deno.test("Http2Connection ignores what still comes for a stream that is over", async () => {
  await using client = await Http2Client.greeted(echo);
  await client.send(headers(1), data(1, [1]));
  await client.nextLike(/^HEADERS 5 stream 1/);
  await client.send(
    data(1, [2]),
    encodeFrame(WINDOW_UPDATE, 0, 1, uint32(5)),
    encodeFrame(RST_STREAM, 0, 1, uint32(ErrorCode.CANCEL)),
    headers(1, END_HEADERS | END_STREAM),
    headers(3),
    data(3, [3]),
  );
  assert.equal(await client.next(), "HEADERS 4 stream 3 :status=200");
});

Deno.test("Http2Connection refuses the stream that is one too many, and no other", async () => {
  await using client = await Http2Client.greeted(() => {});
  for (let i = 0; i < 101; i++) await client.send(headers(2 * i + 1));
  assert.equal(await client.next(), "RST_STREAM 0 stream 201 00000007");
});

Deno.test("Http2Connection refuses a body that is too long", async () => {
  await using client = await Http2Client.greeted(echo);
  await client.send(headers(1));
  for (let i = 0; i < 260; i++) await client.send(data(1, new Uint8Array(FRAME_MAX), 0));
  await client.nextLike(/^RST_STREAM 0 stream 1 0000000b$/);
  await client.send(headers(3), data(3, [3]));
  await client.nextLike(/^DATA 0 stream 3 03$/);
});

Deno.test("Http2Connection hangs up on a client that never reads", async () => {
  await using client = await Http2Client.greeted(echo);
  const ping = encodeFrame(PING, 0, 0, new Uint8Array(8));
  const pings = new Uint8Array(ping.length * 10_000);
  for (let i = 0; i < 10_000; i++) pings.set(ping, i * ping.length);
  await assert.rejects(async () => {
    for (let i = 0; i < 100; i++) await client.send(pings);
  });
});

/** What ends a connection, and the code that the client is told. */
const FATAL: Readonly<Record<string, readonly [Uint8Array, number]>> = {
  "a frame that is too long": [Uint8Array.of(0, 64, 1, 0, 0, 0, 0, 0, 1), 6],
  "data for the connection": [data(0, [1]), 1],
  "data for a stream that was never opened": [data(1, [1]), 1],
  "a reset of a stream that was never opened": [encodeFrame(RST_STREAM, 0, 5, uint32(8)), 1],
  "headers for a stream of the server": [headers(2), 1],
  "headers for the connection": [headers(0), 1],
  "headers shorter than their padding": [encodeFrame(HEADERS, PADDED | END_HEADERS, 1, [9, 0]), 1],
  "headers without the priority they announce": [
    encodeFrame(HEADERS, Flag.PRIORITY | END_HEADERS, 1, [0, 0]),
    1,
  ],
  "headers that cannot be decoded": [encodeFrame(HEADERS, END_HEADERS, 1, [0xff, 0xff]), 9],
  "headers without end": [
    Uint8Array.from([
      ...encodeFrame(HEADERS, 0, 1, new Uint8Array(FRAME_MAX)),
      ...encodeFrame(CONTINUATION, 0, 1, new Uint8Array(FRAME_MAX)),
    ]),
    11,
  ],
  "a continuation of nothing": [encodeFrame(CONTINUATION, END_HEADERS, 1), 1],
  "headers that are interrupted": [
    Uint8Array.from([...headers(1, 0), ...encodeFrame(PING, 0, 0, new Uint8Array(8))]),
    1,
  ],
  "a continuation for another stream": [
    Uint8Array.from([...headers(1, 0), ...encodeFrame(CONTINUATION, END_HEADERS, 3)]),
    1,
  ],
  "a push": [encodeFrame(PUSH_PROMISE, 0, 1), 1],
  "settings of a wrong length": [encodeFrame(SETTINGS, 0, 0, [1]), 6],
  "settings for a stream": [encodeFrame(SETTINGS, 0, 1), 6],
  "a first window that is too large": [
    encodeFrame(SETTINGS, 0, 0, [0, 4, 0xff, 0xff, 0xff, 0xff]),
    3,
  ],
  "a ping of a wrong length": [encodeFrame(PING, 0, 0, [1]), 6],
  "a window that does not grow": [encodeFrame(WINDOW_UPDATE, 0, 0, uint32(0)), 3],
  "a window that grows too far": [encodeFrame(WINDOW_UPDATE, 0, 0, uint32(0x7fffffff)), 3],
  "a window of a wrong length": [encodeFrame(WINDOW_UPDATE, 0, 0, [1]), 6],
};

for (const [name, [bytes, code]] of Object.entries(FATAL)) {
  Deno.test(`Http2Connection ends after ${name}`, async () => {
    await using client = await Http2Client.greeted(echo);
    await client.send(bytes);
    const farewell = await client.nextLike(/^GOAWAY 0 stream 0/);
    assert.equal(parseInt(farewell.slice(-8), 16), code);
    assert.equal(await client.next(), "end");
  });
}

Deno.test("Http2Connection ends when the client speaks HTTP/1.1", async () => {
  await using client = new Http2Client(echo);
  await client.send(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  await client.nextLike(/^end$/);
});

Deno.test("Http2Connection stands whatever a client sends", async () => {
  const random = randomInts(7);
  const good = [headers(1), data(1, [1, 2, 3]), encodeFrame(PING, 0, 0, new Uint8Array(8))];
  for (let round = 0; round < 300; round++) {
    await using client = await Http2Client.greeted(echo);
    const frames = good.flatMap((frame) => [...frame]);
    for (let i = 0; i < 3; i++) frames[random(frames.length)] = random(256);
    await client.send(Uint8Array.from(frames)).catch(() => {});
  }
});
