/** A call of gRPC in the hands of the server. */

import { describe } from "../base/errors.ts";
import type { Codec } from "./codec.ts";
import { GrpcError, type GrpcStatus, grpcStatusNumber } from "./grpc_error.ts";
import { frameMessage, singleMessage } from "./grpc_frame.ts";
import type { Header } from "./http2/hpack.ts";
import type { Http2Stream } from "./http2/stream.ts";

const HEAD: readonly Header[] = [[":status", "200"], ["content-type", "application/grpc"]];
const TEXT_MAX = 1_000;

/** Answers a call. What it throws is the call's failure. */
export type GrpcHandler = (call: GrpcCall) => void | Promise<void>;

/** Handlers by path ("/package.Service/Method"). */
export type GrpcService = ReadonlyMap<string, GrpcHandler>;

export class GrpcCall {
  /** The one message of the request. */
  readonly request: Uint8Array;
  readonly #stream: Http2Stream;
  #hasBegun = false;

  constructor(stream: Http2Stream, request: Uint8Array) {
    this.#stream = stream;
    this.request = request;
  }

  /** Whether messages wait for the client to read. */
  get isFull(): boolean {
    return this.#stream.isFull;
  }

  /** Called when no message waits any more. */
  set onDrained(callback: () => void) {
    this.#stream.onDrained = callback;
  }

  /** Called once when the call is over, whoever ended it. */
  set onClosed(callback: () => void) {
    this.#stream.onClosed = callback;
  }

  send(message: Uint8Array): void {
    this.#begin();
    this.#stream.write(frameMessage(message));
  }

  end(): void {
    this.#begin();
    this.#stream.end([["grpc-status", "0"]]);
  }

  fail(status: GrpcStatus, text: string): void {
    failStream(this.#stream, status, text, this.#hasBegun);
  }

  #begin(): void {
    if (!this.#hasBegun) this.#stream.respond(HEAD);
    this.#hasBegun = true;
  }
}

/** A handler that answers one message with another. */
export function unary<Q, A>(
  request: Codec<Q>,
  response: Codec<A>,
  answer: (request: Q) => A | Promise<A>,
): GrpcHandler {
  return async (call) => {
    call.send(response.encode(await answer(decodeRequest(request, call))));
    call.end();
  };
}

/** The call's request. Throws GrpcError. */
export function decodeRequest<Q>(codec: Codec<Q>, call: GrpcCall): Q {
  try {
    return codec.decode(call.request);
  } catch (cause) {
    throw new GrpcError("Internal", "Cannot decode the request", { cause });
  }
}

/** Answers the request of `stream` by the handler of its path. Throws nothing. */
export async function serveCall(stream: Http2Stream, service: GrpcService): Promise<void> {
  if (!stream.headers.get("content-type")?.startsWith("application/grpc")) {
    stream.respond([[":status", "415"]], { end: true });
    return;
  }
  let call: GrpcCall | undefined;
  try {
    const path = stream.headers.get(":path") ?? "";
    const handler = service.get(path);
    if (handler === undefined) throw new GrpcError("Unimplemented", `There is no method "${path}"`);
    const request = singleMessage(stream.body());
    if (request === undefined) throw new GrpcError("Internal", "The request is empty");
    call = new GrpcCall(stream, request);
    await handler(call);
  } catch (error) {
    const status = error instanceof GrpcError ? error.code : "Internal";
    if (call === undefined) failStream(stream, status, describe(error), false);
    else call.fail(status, describe(error));
  }
}

function failStream(
  stream: Http2Stream,
  status: GrpcStatus,
  text: string,
  hasBegun: boolean,
): void {
  const trailers: readonly Header[] = [
    ["grpc-status", `${grpcStatusNumber(status)}`],
    ["grpc-message", encodeURIComponent(text.slice(0, TEXT_MAX).toWellFormed())],
  ];
  if (hasBegun) stream.end(trailers);
  else stream.respond([...HEAD, ...trailers], { end: true });
}
