import assert from "node:assert/strict";
import type protobuf from "protobufjs";
import { hex, toHex } from "../../tests/support/hex.ts";
import { type Codec, devicePluginCodecs, podResourcesCodecs, protoRoots } from "./codec.ts";
import type {
  AllocatableResourcesResponse,
  AllocateRequest,
  AllocateResponse,
  ContainerAllocateRequest,
  ContainerAllocateResponse,
  ContainerDevices,
  ContainerResources,
  Device,
  DevicePluginOptions,
  DeviceSpec,
  Empty,
  GetPodResourcesRequest,
  GetPodResourcesResponse,
  ListAndWatchResponse,
  ListPodResourcesResponse,
  PodResources,
  RegisterRequest,
} from "./messages.ts";

/** How a field of a type must be declared: "string", "repeated Device", … */
type Kind<V> = V extends string ? "string"
  : V extends boolean ? "bool"
  : V extends readonly (infer E)[] ? `repeated ${E extends string ? "string" : string}`
  : string;

function fields<T>(kinds: { readonly [K in keyof T]: Kind<T[K]> }): Record<string, string> {
  return { ...kinds };
}

/** The compiler refuses a row that names other fields than its type has. */
const DECLARED: Readonly<Record<string, Record<string, string>>> = {
  Empty: fields<Empty>({}),
  DevicePluginOptions: fields<DevicePluginOptions>({
    pre_start_required: "bool",
    get_preferred_allocation_available: "bool",
  }),
  RegisterRequest: fields<RegisterRequest>({
    version: "string",
    endpoint: "string",
    resource_name: "string",
    options: "DevicePluginOptions",
  }),
  ListAndWatchResponse: fields<ListAndWatchResponse>({ devices: "repeated Device" }),
  Device: fields<Device>({ ID: "string", health: "string" }),
  AllocateRequest: fields<AllocateRequest>({
    container_requests: "repeated ContainerAllocateRequest",
  }),
  ContainerAllocateRequest: fields<ContainerAllocateRequest>({ devices_ids: "repeated string" }),
  AllocateResponse: fields<AllocateResponse>({
    container_responses: "repeated ContainerAllocateResponse",
  }),
  ContainerAllocateResponse: fields<ContainerAllocateResponse>({ devices: "repeated DeviceSpec" }),
  DeviceSpec: fields<DeviceSpec>({
    container_path: "string",
    host_path: "string",
    permissions: "string",
  }),
  ListPodResourcesRequest: fields<Empty>({}),
  ListPodResourcesResponse: fields<ListPodResourcesResponse>({
    pod_resources: "repeated PodResources",
  }),
  PodResources: fields<PodResources>({
    name: "string",
    namespace: "string",
    containers: "repeated ContainerResources",
  }),
  ContainerResources: fields<ContainerResources>({
    name: "string",
    devices: "repeated ContainerDevices",
  }),
  ContainerDevices: fields<ContainerDevices>({
    resource_name: "string",
    device_ids: "repeated string",
  }),
  GetPodResourcesRequest: fields<GetPodResourcesRequest>({
    pod_name: "string",
    pod_namespace: "string",
  }),
  GetPodResourcesResponse: fields<GetPodResourcesResponse>({ pod_resources: "PodResources" }),
  AllocatableResourcesRequest: fields<Empty>({}),
  AllocatableResourcesResponse: fields<AllocatableResourcesResponse>({
    devices: "repeated ContainerDevices",
  }),
};

Deno.test("protoRoots() hold the messages that the types describe, field by field", () => {
  const parsed: Record<string, Record<string, string>> = {};
  for (const root of protoRoots()) {
    for (const message of messagesOf(root)) {
      parsed[message.name] = Object.fromEntries(
        message.fieldsArray.map((
          { name, type, repeated },
        ) => [name, `${repeated ? "repeated " : ""}${type}`]),
      );
    }
  }
  assert.deepEqual(parsed, DECLARED);
});

function messagesOf(node: protobuf.NamespaceBase): protobuf.Type[] {
  return node.nestedArray.flatMap((child) => {
    if ("fieldsArray" in child) return [child as protobuf.Type];
    return "nestedArray" in child ? messagesOf(child as protobuf.Namespace) : [];
  });
}

const PLUGIN = devicePluginCodecs();
const PODS = podResourcesCodecs();

function golden<T>(
  codec: Codec<T>,
  message: T,
  text: string,
): [() => string, () => unknown, T, string] {
  const bytes = hex(text);
  return [() => toHex(codec.encode(message)), () => codec.decode(bytes), message, toHex(bytes)];
}

/** Bytes as k8s.io/kubelet v0.34.4 encodes the same messages. */
const GOLDEN: Readonly<Record<string, ReturnType<typeof golden>>> = {
  Empty: golden(PLUGIN.empty, {}, ""),
  RegisterRequest: golden(
    PLUGIN.register,
    {
      version: "v1beta1",
      endpoint: "k8slan-pod1.sock",
      resource_name: "macvtap.k8slan.io/pod1",
      options: null,
    },
    `0a 07  76 31 62 65 74 61 31                                           # version "v1beta1"
     12 10  6b 38 73 6c 61 6e 2d 70 6f 64 31 2e 73 6f 63 6b                # endpoint
     1a 16  6d 61 63 76 74 61 70 2e 6b 38 73 6c 61 6e 2e 69 6f 2f 70 6f 64 31  # resource_name`,
  ),
  DevicePluginOptions: golden(
    PLUGIN.options,
    { pre_start_required: true, get_preferred_allocation_available: true },
    "08 01  10 01",
  ),
  ListAndWatchResponse: golden(
    PLUGIN.devices,
    { devices: [{ ID: "pod1", health: "Healthy" }, { ID: "pod2", health: "Unhealthy" }] },
    `0a 0f  0a 04 70 6f 64 31  12 07 48 65 61 6c 74 68 79        # device "pod1" "Healthy"
     0a 11  0a 04 70 6f 64 32  12 09 55 6e 68 65 61 6c 74 68 79  # device "pod2" "Unhealthy"`,
  ),
  "ListAndWatchResponse without devices": golden(PLUGIN.devices, { devices: [] }, ""),
  AllocateRequest: golden(
    PLUGIN.allocateRequest,
    { container_requests: [{ devices_ids: ["pod1", "pod2"] }, { devices_ids: [] }] },
    `0a 0c  0a 04 70 6f 64 31  0a 04 70 6f 64 32  # container that wants "pod1" and "pod2"
     0a 00                                        # container that wants nothing`,
  ),
  AllocateResponse: golden(
    PLUGIN.allocateResponse,
    {
      container_responses: [{
        devices: [{
          container_path: "/dev/tap1048577",
          host_path: "/dev/tap1048577",
          permissions: "rw",
        }],
      }, { devices: [] }],
    },
    `0a 28  1a 26                                            # container with one device
       0a 0f  2f 64 65 76 2f 74 61 70 31 30 34 38 35 37 37   # container_path "/dev/tap1048577"
       12 0f  2f 64 65 76 2f 74 61 70 31 30 34 38 35 37 37   # host_path "/dev/tap1048577"
       1a 02  72 77                                          # permissions "rw"
     0a 00                                                   # container without devices`,
  ),
  GetPodResourcesRequest: golden(
    PODS.getRequest,
    { pod_name: "vm-1", pod_namespace: "lab" },
    `0a 04  76 6d 2d 31  # pod_name "vm-1"
     12 03  6c 61 62     # pod_namespace "lab"`,
  ),
  "GetPodResourcesResponse without a pod": golden(PODS.getResponse, { pod_resources: null }, ""),
};

for (const [name, [encoded, decoded, message, bytes]] of Object.entries(GOLDEN)) {
  Deno.test(`Codec encodes ${name} as kubelet does`, () => assert.equal(encoded(), bytes));
  Deno.test(`Codec decodes ${name} completely`, () => assert.deepEqual(decoded(), message));
}

const POD = `
  0a 04  76 6d 2d 31                              # name "vm-1"
  12 03  6c 61 62                                 # namespace "lab"
  1a 45                                           # container
    0a 07  63 6f 6d 70 75 74 65                   #   name "compute"
    12 24                                         #   devices
      0a 16  6d 61 63 76 74 61 70 2e 6b 38 73 6c 61 6e 2e 69 6f 2f 70 6f 64 31  # resource_name
      12 04  70 6f 64 31                          #     device_ids "pod1"
      1a 04  0a 02 08 01                          #     topology: unknown to us
    1a 03  01 02 03                               #   cpu_ids: unknown to us
    22 0f  0a 06 6d 65 6d 6f 72 79  10 80 80 80 80 80 20  # memory: unknown to us
  1a 06  0a 04 69 64 6c 65                        # container "idle"`;

const POD_MESSAGE: PodResources = {
  name: "vm-1",
  namespace: "lab",
  containers: [
    {
      name: "compute",
      devices: [{ resource_name: "macvtap.k8slan.io/pod1", device_ids: ["pod1"] }],
    },
    { name: "idle", devices: [] },
  ],
};

Deno.test("Codec decodes ListPodResourcesResponse without what it does not know", () => {
  const bytes = hex(`0a 5a ${POD}
    0a 0e  0a 03 77 65 62  12 07 64 65 66 61 75 6c 74  # pod "web" in "default"`);
  assert.deepEqual(PODS.listResponse.decode(bytes), {
    pod_resources: [POD_MESSAGE, { name: "web", namespace: "default", containers: [] }],
  });
});

Deno.test("Codec decodes GetPodResourcesResponse without what it does not know", () => {
  assert.deepEqual(PODS.getResponse.decode(hex(`0a 5a ${POD}`)), { pod_resources: POD_MESSAGE });
});

Deno.test("Codec decodes AllocatableResourcesResponse without what it does not know", () => {
  const bytes = hex(`
    0a 1e  0a 16  6d 61 63 76 74 61 70 2e 6b 38 73 6c 61 6e 2e 69 6f 2f 70 6f 64 31
           12 04  70 6f 64 31
    12 02  00 01  # cpu_ids`);
  assert.deepEqual(PODS.allocatableResponse.decode(bytes), {
    devices: [{ resource_name: "macvtap.k8slan.io/pod1", device_ids: ["pod1"] }],
  });
});

const NOT_MESSAGES: Readonly<Record<string, string>> = {
  "a length beyond the end": "0a 7f 70",
  "a group that never ends": "0b",
  "a wire type that does not exist": "0f",
  "an endless varint": "08 ffx11",
};

for (const [name, text] of Object.entries(NOT_MESSAGES)) {
  Deno.test(`Codec refuses ${name}`, () => {
    assert.throws(() => PLUGIN.allocateRequest.decode(hex(text)), Error);
  });
}
