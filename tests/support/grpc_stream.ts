/** The messages of one server-streaming gRPC call, by `fetch`. */

import { frameMessage } from "../../src/deviceplugin/grpc_frame.ts";

/**
 * Calls `method` over `client` and gives each message of the answer as it comes. Ends when the
 * server ends the stream, the connection breaks or `signal` fires; throws if the call cannot be made.
 */
export async function* grpcStream(
  client: Deno.HttpClient,
  method: string,
  message: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const response = await fetch(`http://localhost${method}`, {
    client,
    method: "POST",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: frameMessage(message),
    signal,
  });
  const problem = response.headers.get("grpc-message");
  if (problem !== null) throw new Error(problem);
  let bytes = new Uint8Array();
  const reader = response.body?.getReader();
  for (;;) {
    const chunk = await reader?.read().catch(() => undefined);
    if (chunk?.value === undefined) return;
    bytes = new Uint8Array([...bytes, ...chunk.value]);
    for (;;) {
      const length = bytes.length < 5 ? Infinity : new DataView(bytes.buffer).getUint32(1);
      if (bytes.length < 5 + length) break;
      yield bytes.slice(5, 5 + length);
      bytes = bytes.slice(5 + length);
    }
  }
}
