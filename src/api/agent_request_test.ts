import assert from "node:assert/strict";
import { K8slanError } from "../base/errors.ts";
import { parseAgentRequest } from "./agent_request.ts";
import { MAX_MESSAGE_BYTES } from "./names.ts";

const KEY = { containerId: "c0ffee", ifname: "net1" };
const NETNS = { netns: "/run/netns/pod1" };

const understood = [
  { op: "add", ...KEY, ...NETNS, config: { name: "a" } },
  { op: "add", ...KEY, ...NETNS, args: "IgnoreUnknown=1", config: null },
  { op: "del", ...KEY },
  { op: "del", ...KEY, netns: "" },
  { op: "check", ...KEY, ...NETNS, config: {} },
  { op: "configure", ...KEY, ...NETNS, ips: [], routes: [] },
  {
    op: "configure",
    ...KEY,
    ...NETNS,
    ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, { address: "2001:db8::7/64" }],
    routes: [{ dst: "::/0", gw: "2001:db8::1", mtu: 1400, priority: 4_294_967_295 }],
  },
  { op: "gc", network: "net-a", valid: [KEY] },
  { op: "ready" },
  { op: "view" },
] as const;

for (const request of understood) {
  Deno.test(`parseAgentRequest() understands ${JSON.stringify(request)}`, () => {
    assert.deepEqual(parseAgentRequest(JSON.stringify(request)), request);
  });
}

Deno.test("parseAgentRequest() leaves out what it does not know", () => {
  const line = JSON.stringify({ op: "del", ...KEY, hostLink: "eth0" });
  assert.deepEqual(parseAgentRequest(line), { op: "del", ...KEY });
});

for (const ifname of ["eth0", "net1-a_b.c", "é", "x".repeat(15), "eth0@if3", "…"]) {
  Deno.test(`parseAgentRequest() takes interface name "${ifname}"`, () => {
    parseAgentRequest(JSON.stringify({ op: "del", containerId: "c", ifname }));
  });
}

function refusal(value: unknown): K8slanError {
  try {
    parseAgentRequest(typeof value === "string" ? value : JSON.stringify(value));
  } catch (error) {
    assert.ok(error instanceof K8slanError);
    assert.equal(error.code, "InvalidRequest");
    return error;
  }
  throw new Error("It was understood");
}

for (
  const ifname of [
    ...["", ".", "..", "a b", "a\tb", "a/b", "a:b", "eth%d", "a\0b", "a\u001b[2J", "a\u00a0b"],
    ...["x".repeat(16), "é".repeat(8), "a\u202eb"],
  ]
) {
  Deno.test(`parseAgentRequest() refuses interface name ${JSON.stringify(ifname)}`, () => {
    const { message } = refusal({ op: "del", containerId: "c", ifname });
    assert.match(message, /: ifname must be the name of a network interface: 1 to 15 bytes/);
  });
}

for (const containerId of ["", "-a", "a/b", "a@b", "a b", "a=b", "a\n", "a".repeat(129)]) {
  Deno.test(`parseAgentRequest() refuses container ${JSON.stringify(containerId)}`, () => {
    const { message } = refusal({ op: "del", containerId, ifname: "net1" });
    assert.match(message, /: containerId must be 1 to 128 letters, digits/);
  });
}

const refused: readonly (readonly [string, unknown, RegExp])[] = [
  ["what is not JSON", "add", /^The request is not JSON$/],
  ["an empty line", "", /not JSON/],
  ["a list", [], /must be an object, found a list of 0$/],
  ["null", null, /must be an object, found null$/],
  ["an object without operation", {}, /op is required$/],
  [
    "an operation that there is none of",
    { op: "exec" },
    /op is not a known operation, found "exec"/,
  ],
  [
    "a relative path",
    { op: "add", ...KEY, netns: "x", config: {} },
    /netns must be an absolute path/,
  ],
  ["an empty path", { op: "add", ...KEY, netns: "", config: {} }, /netns must be an absolute path/],
  [
    "a path with a NUL",
    { op: "add", ...KEY, netns: "/a\0b", config: {} },
    /netns must not contain/,
  ],
  ["a path with a NUL to detach from", { op: "del", ...KEY, netns: "/a\0b" }, /netns must not/],
  ["an attach without configuration", { op: "add", ...KEY, ...NETNS }, /config is required/],
  [
    "arguments that are no text",
    { op: "add", ...KEY, ...NETNS, config: {}, args: 1 },
    /args must be/,
  ],
  [
    "an address without prefix",
    { op: "configure", ...KEY, ...NETNS, ips: [{ address: "192.0.2.7" }], routes: [] },
    /ips\[0\]\.address must be an address with the length of its prefix.*found "192\.0\.2\.7"/,
  ],
  [
    "a gateway that is no address",
    { op: "configure", ...KEY, ...NETNS, ips: [{ address: "::1/64", gateway: "x" }], routes: [] },
    /ips\[0\]\.gateway must be an IP address, found "x"/,
  ],
  [
    "a route without destination",
    { op: "configure", ...KEY, ...NETNS, ips: [], routes: [{}] },
    /routes\[0\]\.dst is required/,
  ],
  [
    "more addresses than anybody has",
    { op: "configure", ...KEY, ...NETNS, ips: Array(65).fill({ address: "::1/64" }), routes: [] },
    /ips must have at most 64 entries, found 65/,
  ],
  [
    "a bad entry of a list",
    { op: "gc", network: "a", valid: [KEY, { containerId: "x", ifname: "a:b" }] },
    /valid\[1\]\.ifname must be/,
  ],
];

for (const [what, value, says] of refused) {
  Deno.test(`parseAgentRequest() refuses ${what}`, () => {
    assert.match(refusal(value).message, says);
  });
}

Deno.test("parseAgentRequest() names everything that is wrong", () => {
  assert.match(refusal({ op: "del" }).message, /containerId is required; ifname is required$/);
});

Deno.test("parseAgentRequest() refuses a line that is too long without reading it", () => {
  const { message } = refusal("[".repeat(MAX_MESSAGE_BYTES + 1));
  assert.match(message, /longer than 1048576/);
});

Deno.test("parseAgentRequest() refuses deep nesting of what it does read", () => {
  const config = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  refusal(`{"op":${config}}`);
});

Deno.test("parseAgentRequest() takes no prototype from a request", () => {
  const line = `{"op":"del","containerId":"c","ifname":"net1","__proto__":{"netns":"/x"}}`;
  assert.deepEqual(Object.keys(parseAgentRequest(line)), ["op", "containerId", "ifname"]);
  assert.equal(Reflect.get(parseAgentRequest(line), "netns"), undefined);
});
