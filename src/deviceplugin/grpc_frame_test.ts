import assert from "node:assert/strict";
import { hex, toHex } from "../../tests/support/hex.ts";
import { GrpcError } from "./grpc_error.ts";
import { frameMessage, readMessage } from "./grpc_frame.ts";

function stream(...chunks: readonly string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks.map((chunk) => hex(chunk)));
}

Deno.test("frameMessage() puts flag and length before the message", () => {
  assert.equal(toHex(frameMessage(hex("0a 0b"))), "00000000020a0b");
  assert.equal(toHex(frameMessage(hex(""))), "0000000000");
});

const WHOLE: Readonly<Record<string, readonly string[]>> = {
  "in one piece": ["00 00 00 00 02 0a 0b"],
  "in single bytes": ["00", "00", "00", "00", "02", "0a", "0b"],
  "with empty pieces": ["", "00 00 00 00 02", "", "0a 0b", ""],
};

for (const [name, chunks] of Object.entries(WHOLE)) {
  Deno.test(`readMessage() reads a message that comes ${name}`, async () => {
    assert.deepEqual(await readMessage(stream(...chunks), 10), hex("0a 0b"));
  });
}

Deno.test("readMessage() tells no message from an empty one", async () => {
  assert.equal(await readMessage(null, 10), undefined);
  assert.equal(await readMessage(stream(), 10), undefined);
  assert.deepEqual(await readMessage(stream("00 00 00 00 00"), 10), hex(""));
});

const BROKEN: Readonly<Record<string, readonly [string, string]>> = {
  "half a prefix": ["00 00 00", "Internal"],
  "a message that ends early": ["00 00 00 00 03 0a", "Internal"],
  "a second message": ["00 00 00 00 01 0a  00 00 00 00 00", "Internal"],
  "a compressed message": ["01 00 00 00 01 0a", "Internal"],
  "a length of 4 GiB": ["00 ff ff ff ff 0a", "Internal"],
  "too many bytes": ["00 00 00 00 0b 0ax11", "ResourceExhausted"],
};

for (const [name, [bytes, code]] of Object.entries(BROKEN)) {
  Deno.test(`readMessage() refuses ${name}`, async () => {
    await assert.rejects(
      readMessage(stream(bytes), 10),
      (error) => error instanceof GrpcError && error.code === code,
    );
  });
}

Deno.test("readMessage() stops reading when there is too much", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
    cancel: () => void (cancelled = true),
  });
  await assert.rejects(readMessage(endless, 10_000));
  assert.ok(cancelled);
});
