import { deepEqual, throws } from "node:assert/strict";
import { parseAttachSpec } from "./attach_spec.ts";
import { UsageError } from "./exit_code.ts";

const BLUE = { spoke: "pod1", netns: "/run/netns/blue", ifname: "net1", attach: "macvtap" };

for (
  const [text, spec] of [
    ["pod1=/run/netns/blue", BLUE],
    ["pod1=blue", BLUE],
    ["pod1=blue:eth1", { ...BLUE, ifname: "eth1" }],
    ["pod1=blue,veth", { ...BLUE, attach: "veth" }],
    ["pod1=4711:eth1,macvtap", { ...BLUE, netns: "/proc/4711/ns/net", ifname: "eth1" }],
    ["pod1=/a=b:c/d,e", { ...BLUE, netns: "/a=b:c/d,e" }],
  ] as const
) {
  Deno.test(`parseAttachSpec() reads ${text}`, () => {
    deepEqual(parseAttachSpec(text, "/"), spec);
  });
}

for (const text of ["", "pod1", "pod1=", "=blue"]) {
  Deno.test(`parseAttachSpec() refuses "${text}"`, () => {
    throws(() => parseAttachSpec(text, "/"), UsageError);
  });
}
