import { equal, match, notEqual, throws } from "node:assert/strict";
import { UsageError } from "./exit_code.ts";
import { containerIdOf, netnsPath } from "./workload.ts";

for (
  const [text, path] of [
    ["/run/netns/blue", "/run/netns/blue"],
    ["/var/run/netns/blue", "/run/netns/blue"],
    ["/run//netns/../netns/blue", "/run/netns/blue"],
    ["./blue", "/home/me/blue"],
    ["blue", "/run/netns/blue"],
    ["4711", "/proc/4711/ns/net"],
    ["/proc/4711/ns/net", "/proc/4711/ns/net"],
  ] as const
) {
  Deno.test(`netnsPath() finds "${text}" at ${path}`, () => {
    equal(netnsPath(text, "/home/me"), path);
  });
}

for (const text of ["", ".", ".."]) {
  Deno.test(`netnsPath() refuses "${text}"`, () => {
    throws(() => netnsPath(text, "/"), UsageError);
  });
}

Deno.test("containerIdOf() is the same every time and in every version", () => {
  equal(containerIdOf("/run/netns/blue"), "cli-blue-2213740d");
  equal(containerIdOf("/proc/4711/ns/net"), "cli-4711-629fecbe");
});

Deno.test("containerIdOf() tells namespaces of one name in different folders apart", () => {
  notEqual(containerIdOf("/run/netns/blue"), containerIdOf("/tmp/blue"));
});

for (const path of ["/run/netns/-ü-", `/x/${"long".repeat(60)}`, "/", "/run/netns/a_b.c"]) {
  Deno.test(`containerIdOf() makes a CNI container id of "${path.slice(0, 20)}"`, () => {
    match(containerIdOf(path), /^cli(-[A-Za-z0-9]([A-Za-z0-9-]{0,22}[A-Za-z0-9])?)?-[0-9a-f]{8}$/);
  });
}
