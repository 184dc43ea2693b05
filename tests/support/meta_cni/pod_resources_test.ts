import { deepStrictEqual, throws } from "node:assert/strict";
import { parsePodDevices } from "./pod_resources.ts";

Deno.test("parsePodDevices() finds the devices of one pod, sorted", () => {
  const answer = message(
    pod("other", "ns", message(field(1, "a/b"), field(2, "wrong"))),
    pod("one", "elsewhere", message(field(1, "a/b"), field(2, "wrong"))),
    pod(
      "one",
      "ns",
      message(field(1, "a/b"), field(2, "y"), field(2, "x"), field(3, "topology")),
      message(field(1, "c/d"), field(2, "z")),
    ),
  );
  deepStrictEqual([...parsePodDevices(answer, "ns", "one")], [["a/b", ["x", "y"]], ["c/d", ["z"]]]);
});

Deno.test("parsePodDevices() finds nothing in an empty answer", () => {
  deepStrictEqual(parsePodDevices(new Uint8Array(), "ns", "one").size, 0);
});

Deno.test("parsePodDevices() refuses an answer that is cut off", () => {
  const answer = message(pod("one", "ns", message(field(1, "a/b"), field(2, "x"))));
  throws(() => parsePodDevices(answer.subarray(0, -1), "ns", "one"), RangeError);
});

function pod(name: string, namespace: string, ...devices: readonly Uint8Array[]): Uint8Array {
  const container = message(field(1, "main"), ...devices.map((bytes) => field(2, bytes)));
  return field(1, message(field(1, name), field(2, namespace), field(3, container)));
}

function field(number: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return new Uint8Array([number * 8 + 2, bytes.length, ...bytes]); // lengths below 128
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(fields.flatMap((bytes) => [...bytes]));
}
