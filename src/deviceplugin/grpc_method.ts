/** Methods of gRPC services as grpc-js wants them described. */

import { Buffer } from "node:buffer";
import type { MethodDefinition } from "@grpc/grpc-js";
import type { Codec } from "./codec.ts";

/** The method at `path` ("/package.Service/Method"); `stream`: it answers with many messages. */
export function grpcMethod<Q, A>(
  path: string,
  request: Codec<Q>,
  response: Codec<A>,
  { stream = false }: { readonly stream?: boolean } = {},
): MethodDefinition<Q, A> {
  return {
    path,
    requestStream: false,
    responseStream: stream,
    requestSerialize: (message) => toBuffer(request.encode(message)),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => toBuffer(response.encode(message)),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
