/** A device plugin that offers a few devices which are nothing but names, to try a node's kubelet. */

import { Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { messageFields, splitMessage } from "./meta_cni/protobuf.ts";

/** Serves `devices` of `resource` beside kubelet's socket in `folder`, and registers there. */
export async function startDevicePlugin(
  folder: string,
  resource: string,
  devices: readonly string[],
): Promise<Disposable> {
  const endpoint = `${resource.replaceAll(/[^a-z0-9]/g, "-")}.sock`;
  const server = new Server();
  server.addService(SERVICE, {
    getOptions: (_: unknown, answer: Answer) => answer(null, EMPTY),
    listAndWatch: (call: ServerWritableStream<Uint8Array, Uint8Array>) => {
      call.write(message(devices.map((id) => field(1, field(1, id), field(2, "Healthy")))));
    },
    // An empty answer for each container: nothing is to be mounted or set.
    allocate: ({ request }: { readonly request: Uint8Array }, answer: Answer) =>
      answer(null, message(messageFields(splitMessage(request), 1).map(() => field(1)))),
  });
  await bind(server, `unix://${folder}/${endpoint}`);
  await register(`${folder}/kubelet.sock`, endpoint, resource);
  return { [Symbol.dispose]: () => server.forceShutdown() };
}

type Answer = (error: Error | null, value: Uint8Array) => void;

const EMPTY = new Uint8Array();
const BYTES = {
  requestStream: false,
  requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
  requestDeserialize: (bytes: Uint8Array) => bytes,
  responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
  responseDeserialize: (bytes: Uint8Array) => bytes,
};
const SERVICE = {
  getOptions: {
    ...BYTES,
    path: "/v1beta1.DevicePlugin/GetDevicePluginOptions",
    responseStream: false,
  },
  listAndWatch: { ...BYTES, path: "/v1beta1.DevicePlugin/ListAndWatch", responseStream: true },
  allocate: { ...BYTES, path: "/v1beta1.DevicePlugin/Allocate", responseStream: false },
};

function bind(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    })
  );
}

async function register(socket: string, endpoint: string, resource: string): Promise<void> {
  using client = Deno.createHttpClient({
    proxy: { transport: "unix", path: socket },
    http1: false,
    http2: true,
  });
  const request = message([field(1, "v1beta1"), field(2, endpoint), field(3, resource)]);
  const answer = await fetch("http://kubelet/v1beta1.Registration/Register", {
    method: "POST",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: new Uint8Array([0, 0, 0, 0, request.length, ...request]),
    client,
  });
  await answer.arrayBuffer();
  const problem = answer.headers.get("grpc-message");
  if (problem !== null) throw new Error(`kubelet does not register "${resource}": ${problem}`);
}

/** A length-delimited field of less than 128 bytes. */
function field(number: number, ...values: readonly (string | Uint8Array)[]): Uint8Array {
  const bytes = message(
    values.map((value) => typeof value === "string" ? new TextEncoder().encode(value) : value),
  );
  return new Uint8Array([number * 8 + 2, bytes.length, ...bytes]);
}

function message(fields: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(fields.flatMap((bytes) => [...bytes]));
}
