/** The devices that kubelet has given to a pod, as its podresources socket tells. */

import { messageFields, splitMessage, textField, textFields } from "./protobuf.ts";

const SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock";

/** Device identifiers by resource name, each list sorted. */
export type PodDevices = ReadonlyMap<string, readonly string[]>;

/** Asks kubelet for the devices of a pod. Throws when it does not answer. */
export async function podDevices(namespace: string, name: string): Promise<PodDevices> {
  using client = Deno.createHttpClient({
    proxy: { transport: "unix", path: SOCKET },
    http1: false,
    http2: true,
  });
  // An address: a name would be looked up first, and on a node without DNS that takes 5 s.
  const answer = await fetch("http://127.0.0.1/v1.PodResourcesLister/List", {
    method: "POST",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: new Uint8Array(5), // the frame of an empty message
    client,
    signal: AbortSignal.timeout(10_000),
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const status = answer.headers.get("grpc-status");
  if (!answer.ok || status !== null && status !== "0") {
    const message = answer.headers.get("grpc-message") ?? "";
    throw new Error(`kubelet refuses to list pod resources: status ${status}, "${message}"`);
  }
  return parsePodDevices(bytes.subarray(5), namespace, name);
}

/** As `podDevices`, from the encoded ListPodResourcesResponse. */
export function parsePodDevices(answer: Uint8Array, namespace: string, name: string): PodDevices {
  const found = new Map<string, string[]>();
  for (const pod of messageFields(splitMessage(answer), 1)) {
    if (textField(pod, 1) !== name || textField(pod, 2) !== namespace) continue;
    for (const container of messageFields(pod, 3)) {
      for (const devices of messageFields(container, 2)) {
        const resource = textField(devices, 1);
        found.set(resource, [...found.get(resource) ?? [], ...textFields(devices, 2)].sort());
      }
    }
  }
  return found;
}
