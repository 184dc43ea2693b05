/** Messages of gRPC as they travel in an HTTP body: a flag, a length, the message. */

import { GrpcError } from "./grpc_error.ts";

/** One byte "compressed", four bytes length. */
const PREFIX = 5;

/** `message` with its prefix. */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(PREFIX + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, PREFIX);
  return frame;
}

/**
 * The one message in the body of a call's answer, undefined if the body is empty. Throws GrpcError
 * for a body that ends early, holds more, is compressed, or is longer than `maxBytes`.
 */
export async function readMessage(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  return singleMessage(await readAtMost(body, PREFIX + maxBytes));
}

/** The one message in a whole body, undefined if the body is empty. Throws GrpcError as above. */
export function singleMessage(body: Uint8Array): Uint8Array | undefined {
  if (body.length === 0) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.length < PREFIX || body.length !== PREFIX + view.getUint32(1)) {
    throw new GrpcError("Internal", `A body of ${body.length} bytes is not one whole message`);
  }
  if (body[0] !== 0) throw new GrpcError("Internal", "The message is compressed, unasked");
  return body.subarray(PREFIX);
}

async function readAtMost(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop by an error cancels the stream.
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) {
      throw new GrpcError("ResourceExhausted", `The answer has more than ${maxBytes} bytes`);
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
