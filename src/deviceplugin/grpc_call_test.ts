import assert from "node:assert/strict";
import { Http2Client } from "../../tests/support/http2_client.ts";
import { type GrpcHandler, type GrpcService, serveCall } from "./grpc_call.ts";
import { GrpcError } from "./grpc_error.ts";
import { frameMessage } from "./grpc_frame.ts";
import { encodeFrame, Flag, FrameType } from "./http2/frame.ts";
import { encodeHeaders, type Header } from "./http2/hpack.ts";

const SERVICE: GrpcService = new Map<string, GrpcHandler>([
  ["/a.B/Echo", (call) => {
    call.send(call.request);
    call.end();
  }],
  ["/a.B/Two", (call) => {
    call.send(Uint8Array.of(1));
    call.send(Uint8Array.of(2));
    call.end();
  }],
  ["/a.B/None", (call) => call.end()],
  ["/a.B/Fails", () => {
    throw new GrpcError("NotFound", 'No "pöd"\n');
  }],
  ["/a.B/Breaks", () => {
    throw new Error("disk full");
  }],
  ["/a.B/FailsLate", (call) => {
    call.send(Uint8Array.of(1));
    call.fail("Unavailable", "gone");
  }],
]);

async function answers(
  { path = "/a.B/Echo", type = "application/grpc", body = frameMessage(Uint8Array.of(7)) },
): Promise<string[]> {
  await using client = await Http2Client.greeted((stream) => void serveCall(stream, SERVICE));
  const headers: Header[] = [[":method", "POST"], [":path", path], ["content-type", type]];
  await client.send(
    encodeFrame(FrameType.HEADERS, Flag.END_HEADERS, 1, encodeHeaders(headers)),
    encodeFrame(FrameType.DATA, Flag.END_STREAM, 1, body),
  );
  const frames: string[] = [];
  for (;;) {
    const [, flags = "", , , ...rest] = (await client.next()).split(" ");
    frames.push(rest.join(" "));
    if (Number(flags) & Flag.END_STREAM) return frames;
  }
}

const HEAD = ":status=200 content-type=application/grpc";

const CALLS: Readonly<Record<string, readonly [Parameters<typeof answers>[0], string[]]>> = {
  "a message": [{}, [HEAD, "000000000107", "grpc-status=0"]],
  "an empty message": [
    { body: frameMessage(new Uint8Array()) },
    [HEAD, "0000000000", "grpc-status=0"],
  ],
  "a content type with a suffix": [
    { type: "application/grpc+proto" },
    [HEAD, "000000000107", "grpc-status=0"],
  ],
  "a call that is answered with two messages": [
    { path: "/a.B/Two" },
    [HEAD, "000000000101", "000000000102", "grpc-status=0"],
  ],
  "a call that is answered with none": [{ path: "/a.B/None" }, [HEAD, "grpc-status=0"]],
  "a call that fails": [
    { path: "/a.B/Fails" },
    [`${HEAD} grpc-status=5 grpc-message=No%20%22p%C3%B6d%22%20`],
  ],
  "a call that breaks": [
    { path: "/a.B/Breaks" },
    [`${HEAD} grpc-status=13 grpc-message=disk%20full`],
  ],
  "a call that fails after a message": [
    { path: "/a.B/FailsLate" },
    [HEAD, "000000000101", "grpc-status=14 grpc-message=gone"],
  ],
  "an unknown method": [
    { path: "/a.B/\u00ff" },
    [`${HEAD} grpc-status=12 grpc-message=There%20is%20no%20method%20%22%2Fa.B%2F%C3%BF%22`],
  ],
  "no message": [
    { body: new Uint8Array() },
    [`${HEAD} grpc-status=13 grpc-message=The%20request%20is%20empty`],
  ],
  "half a message": [
    { body: Uint8Array.of(0, 0, 0, 0, 9, 1) },
    [
      `${HEAD} grpc-status=13 grpc-message=A%20body%20of%206%20bytes%20is%20not%20one%20whole%20message`,
    ],
  ],
  "what is no call of gRPC": [{ type: "text/html" }, [":status=415"]],
};

for (const [name, [request, frames]] of Object.entries(CALLS)) {
  Deno.test(`serveCall() answers ${name}`, async () => {
    assert.deepEqual(await answers(request), frames);
  });
}
