import assert from "node:assert/strict";
import { allocate } from "./allocate.ts";
import { GrpcError } from "./grpc_error.ts";
import type { DeviceSpec } from "./messages.ts";

const PATHS: ReadonlyMap<string, string> = new Map([
  ["pod1", "/dev/tap1048577"],
  ["pod2", "/dev/tap1048578"],
]);

function spec(path: string): DeviceSpec {
  return { container_path: path, host_path: path, permissions: "rw" };
}

const POD1 = spec("/dev/tap1048577");
const POD2 = spec("/dev/tap1048578");

/** Device IDs of each container, and the devices that each gets. */
const GIVEN: Readonly<Record<string, [string[][], DeviceSpec[][]]>> = {
  "one device": [[["pod1"]], [[POD1]]],
  "several devices": [[["pod2", "pod1"]], [[POD2, POD1]]],
  "several containers": [[["pod1"], ["pod2"]], [[POD1], [POD2]]],
  "the same device in two containers": [[["pod1"], ["pod1"]], [[POD1], [POD1]]],
  "a device named twice, once": [[["pod1", "pod1"]], [[POD1]]],
  "a container without devices": [[[], ["pod1"]], [[], [POD1]]],
  "no container": [[], []],
};

for (const [name, [ids, devices]] of Object.entries(GIVEN)) {
  Deno.test(`allocate() answers for ${name}`, () => {
    const request = { container_requests: ids.map((devices_ids) => ({ devices_ids })) };
    assert.deepEqual(
      allocate(request, (id) => PATHS.get(id)),
      { container_responses: devices.map((devices) => ({ devices })) },
    );
  });
}

const UNKNOWN: readonly (readonly [string, string])[] = [
  ["pod3", '"pod3"'],
  ["", '""'],
  ["../../dev/sda", '"../../dev/sda"'],
  ["POD1", '"POD1"'],
  ["pod1 ", '"pod1 "'],
  ["__proto__", '"__proto__"'],
  ["a\u0000\n\u001b[31m", '"a\\u0000\\n\\u001b[31m"'],
  ["\ud800", '"\ufffd"'],
  ["x".repeat(100_000), `"${"x".repeat(64)}"`],
];

for (const [id, shown] of UNKNOWN) {
  Deno.test(`allocate() refuses the unknown device ${shown}`, () => {
    const request = { container_requests: [{ devices_ids: ["pod1", id] }] };
    assert.throws(
      () => allocate(request, (id) => PATHS.get(id)),
      (error) =>
        error instanceof GrpcError && error.code === "InvalidArgument" &&
        error.message === `There is no device ${shown} of this resource here`,
    );
  });
}
