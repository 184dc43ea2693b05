import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { randomInts } from "../../tests/support/random.ts";
import {
  decodeHello,
  ECHOES_MAX,
  encodeHello,
  type Hello,
  HELLO_BYTES_MAX,
  HELLO_ETHERTYPE,
  INTERVAL_MAX_MS,
  lanKey,
  NO_DIRECT,
  nodeId,
  padded,
} from "./hello_codec.ts";

const UID = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
const KEY = lanKey(UID);
const ADDRESSES = { source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02" };
const HELLO: Hello = {
  ...{ node: "worker1", state: "running", mtu: 1426, seq: 7, intervalMs: 10_000, limitMs: 500 },
  ...{ peers: 2, tellsDirect: true },
  echoes: [{ peer: nodeId("worker2"), seq: 9, heldUs: 1_500, mtu: 1426, sinceDirect: 3 }],
};
/** As agents of older versions say it. */
const OLDER: Hello = {
  ...{ ...HELLO, tellsDirect: false },
  echoes: HELLO.echoes.map((echo) => ({ ...echo, sinceDirect: NO_DIRECT })),
};
/** Of `HELLO`, up to its first check, and whole. */
const OLDER_BYTES = 14 + 32 + 7 + 14 + 8;
const BYTES = OLDER_BYTES + 1 + 8;

function echoes(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    ...{ peer: at, seq: at, heldUs: at, mtu: at, sinceDirect: at },
  }));
}

Deno.test("encodeHello() and decodeHello() are each other's inverse, padded or not", () => {
  const hellos: Hello[] = [
    HELLO,
    OLDER,
    { ...HELLO, state: "pausing", echoes: [] },
    { ...HELLO, state: "leaving", node: "n".repeat(253), echoes: echoes(ECHOES_MAX) },
    { ...HELLO, seq: 0x7fff_ffff, mtu: 65_465, peers: 0xffff, intervalMs: INTERVAL_MAX_MS },
  ];
  for (const hello of hellos) {
    for (const mtu of [0, 1426, 8926]) {
      const frame = padded(encodeHello(hello, KEY, ADDRESSES), mtu);
      ok(mtu === 0 ? frame.length <= HELLO_BYTES_MAX : frame.length === mtu + 14);
      deepEqual(decodeHello(frame, KEY), hello);
      // As it is read: the beginning alone.
      deepEqual(decodeHello(frame.subarray(0, HELLO_BYTES_MAX), KEY), hello);
    }
  }
});

Deno.test("encodeHello() writes what the table in its file says", () => {
  const frame = encodeHello(HELLO, KEY, ADDRESSES);
  const view = new DataView(frame.buffer);
  equal(frame.subarray(0, 12).toHex(), "020000000002020000000001");
  equal(view.getUint16(12), HELLO_ETHERTYPE);
  equal(new TextDecoder().decode(frame.subarray(14, 18)), "k8sl");
  deepEqual(KEY.words.map((_, at) => view.getUint32(14 + 4 * at)), [...KEY.words]);
  deepEqual([frame[26], frame[27], view.getUint16(28), view.getUint32(30)], [1, 0, 1426, 7]);
  deepEqual([view.getUint32(34), view.getUint32(38)], [10_000, 500]);
  deepEqual([view.getUint16(42), frame[44], frame[45]], [2, 1, 7]);
  equal(frame[OLDER_BYTES], 3);
  equal(frame.length, BYTES);
});

Deno.test("encodeHello() keeps what is too large within its field", () => {
  const hello = { ...HELLO, intervalMs: 1e9, limitMs: 1e9, peers: 1e6, echoes: echoes(100) };
  const decoded = decodeHello(encodeHello(hello, KEY, ADDRESSES), KEY);
  deepEqual([decoded?.intervalMs, decoded?.limitMs], [INTERVAL_MAX_MS, INTERVAL_MAX_MS]);
  deepEqual([decoded?.peers, decoded?.echoes.length], [0xffff, ECHOES_MAX]);
});

Deno.test("encodeHello() refuses names that no node has", () => {
  for (const node of ["", "n".repeat(254), "-a", "a b", "ä", 'x"']) {
    throws(() => encodeHello({ ...HELLO, node }, KEY, ADDRESSES), RangeError);
  }
});

Deno.test("decodeHello() takes nothing of another LAN", () => {
  equal(decodeHello(encodeHello(HELLO, lanKey("other"), ADDRESSES), KEY), undefined);
});

Deno.test("decodeHello() refuses a frame with any byte of it changed, or cut off", () => {
  const frame = encodeHello(OLDER, KEY, ADDRESSES);
  for (let at = 12; at < frame.length; at++) {
    const changed = frame.slice();
    changed[at] = changed[at]! ^ 0x10;
    equal(decodeHello(changed, KEY), undefined, `byte ${at}`);
    equal(decodeHello(frame.subarray(0, at), KEY), undefined, `${at} bytes`);
  }
});

Deno.test("decodeHello() takes what older agents leave out for left out, or not at all", () => {
  const frame = encodeHello(HELLO, KEY, ADDRESSES);
  deepEqual(frame.subarray(0, OLDER_BYTES), encodeHello(OLDER, KEY, ADDRESSES));
  for (let at = OLDER_BYTES; at < frame.length; at++) {
    const changed = padded(frame, 300);
    changed[at] = changed[at]! ^ 0x10;
    deepEqual(decodeHello(changed, KEY), OLDER, `byte ${at}`);
    deepEqual(decodeHello(frame.subarray(0, at), KEY), OLDER, `${at} bytes`);
  }
});

Deno.test("decodeHello() takes random bytes for nothing, and never throws", () => {
  const random = randomInts(1);
  const good = padded(encodeHello({ ...HELLO, echoes: echoes(3) }, KEY, ADDRESSES), 300);
  for (let round = 0; round < 5_000; round++) {
    const noise = Uint8Array.from({ length: random(400) }, () => random(256));
    equal(decodeHello(noise, KEY), undefined);
    // Right at the beginning, so that what follows is looked at.
    const mixed = good.slice();
    for (let count = 1 + random(5); count > 0; count--) {
      mixed[26 + random(60)] = random(256);
    }
    const decoded = decodeHello(mixed, KEY);
    if (decoded !== undefined) deepEqual(mixed, good);
  }
});
