import assert from "node:assert/strict";
import { callCni, netConf, NETNS } from "../../tests/support/cni_call.ts";
import { StubAgent, type StubReply } from "../../tests/support/stub_agent.ts";
import { readDeletes } from "../base/delete_queue.ts";
import { SUPPORTED_VERSIONS } from "./config.ts";

const VERBS = ["ADD", "CHECK", "DEL", "STATUS", "GC", "VERSION"] as const;
const VALID = "cni.dev/valid-attachments";
const EVERYTHING = { prevResult: { interfaces: [] }, [VALID]: [] };
const KEY = { containerId: "c1", ifname: "net1" };

function queued(agent: StubAgent) {
  return readDeletes(`${agent.dir}/deletes`).map((file) => file.request);
}

Deno.test("runCni() serves each verb from the version that brought it", async () => {
  const since: Readonly<Record<string, string>> = { CHECK: "0.4.0", STATUS: "1.1.0", GC: "1.1.0" };
  const op: Readonly<Record<string, string>> = { STATUS: "ready" };
  for (const version of SUPPORTED_VERSIONS) {
    for (const command of VERBS) {
      await using agent = new StubAgent();
      const config = netConf(version, EVERYTHING);
      const { code, output } = await callCni({ command, socket: agent.socket, config });
      const known = version >= (since[command] ?? "");
      assert.equal(code, known ? 0 : 1, `${command} ${version}`);
      if (!known) {
        assert.deepEqual([output?.["cniVersion"], output?.["code"]], [version, 1]);
        assert.deepEqual(agent.ops, []);
      } else if (command === "VERSION") {
        assert.deepEqual(output, { cniVersion: version, supportedVersions: SUPPORTED_VERSIONS });
      } else {
        assert.equal(output?.["cniVersion"], command === "ADD" ? version : undefined);
        assert.deepEqual(agent.ops, [op[command] ?? command.toLowerCase()]);
      }
    }
  }
});

Deno.test("runCni() refuses other versions with code 1 and the list, except for DEL and VERSION", async () => {
  await using agent = new StubAgent();
  for (const cniVersion of [undefined, "", "0.1.0", "0.2.0", "2.0.0"]) {
    for (const command of VERBS) {
      const config = { ...netConf("", EVERYTHING), cniVersion };
      const { code, output } = await callCni({ command, socket: agent.socket, config });
      if (command === "DEL" || command === "VERSION") {
        assert.equal(code, 0);
      } else {
        assert.deepEqual([code, output?.["cniVersion"], output?.["code"]], [1, "1.1.0", 1]);
        assert.match(String(output?.["details"]), /0\.3\.0, 0\.3\.1, 0\.4\.0, 1\.0\.0, 1\.1\.0/);
      }
    }
  }
  assert.deepEqual(new Set(agent.ops), new Set(["del"]));
});

Deno.test("runCni() VERSION echoes a version it does not know, and needs no input", async () => {
  const socket = "/nonexistent/agent.sock";
  const given: readonly [unknown, string][] = [
    [{ cniVersion: "0.2.0" }, "0.2.0"],
    [{ cniVersion: "9.9.9" }, "9.9.9"],
    [{ cniVersion: "nonsense" }, "1.1.0"],
    ["", "1.1.0"],
    ["[", "1.1.0"],
  ];
  for (const [config, expected] of given) {
    const { code, output } = await callCni({ command: "VERSION", socket, config });
    assert.deepEqual([code, output?.["cniVersion"]], [0, expected]);
  }
});

Deno.test("runCni() ADD forwards configuration and arguments as given", async () => {
  await using agent = new StubAgent();
  const config = netConf("1.0.0", { spoke: "pod1", args: { cni: { mac: "x" } }, deviceID: "d0" });
  const env = { CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=p" };
  await callCni({ command: "ADD", socket: agent.socket, config, env });
  assert.deepEqual(agent.requests, [
    { op: "add", ...KEY, netns: NETNS, args: env.CNI_ARGS, config },
  ]);
});

Deno.test("runCni() ADD passes a refusal on and undoes nothing", async () => {
  const error = { code: 100, msg: 'Spoke "pod1" is in use', details: "by pod default/a" };
  await using agent = new StubAgent({ add: { ok: false, error } });
  const config = netConf("1.1.0");
  const { code, output } = await callCni({ command: "ADD", socket: agent.socket, config });
  assert.deepEqual([code, output], [1, { cniVersion: "1.1.0", ...error }]);
  assert.deepEqual(agent.ops, ["add"]);
});

Deno.test("runCni() ADD undoes what a lost answer may have made", async () => {
  for (const reply of ["close", "hang", { raw: "nonsense\n" }] as const) {
    await using agent = new StubAgent({ add: reply });
    const config = netConf("1.1.0");
    const { code, output } = await callCni({ command: "ADD", socket: agent.socket, config });
    assert.equal(code, 1);
    assert.ok(typeof output?.["msg"] === "string" && output["msg"].includes(agent.socket));
    assert.deepEqual(agent.requests[1], { op: "del", ...KEY, netns: NETNS });
    assert.deepEqual(queued(agent), []);
  }
});

Deno.test("runCni() ADD queues the undoing when the agent dies under it", async () => {
  await using agent = new StubAgent();
  agent.reply("add", () => {
    agent.stop();
    return "close";
  });
  const config = netConf("1.1.0");
  const { code, output } = await callCni({ command: "ADD", socket: agent.socket, config });
  assert.deepEqual([code, output?.["code"]], [1, 11]);
  assert.deepEqual(queued(agent), [{ op: "del", ...KEY, netns: NETNS }]);
});

Deno.test("runCni() ADD undoes an answer that does not say what was made", async () => {
  for (const result of [undefined, {}, { mac: 1, mtu: 1500 }]) {
    await using agent = new StubAgent({ add: { ok: true, result } });
    const config = netConf("1.1.0");
    const { output } = await callCni({ command: "ADD", socket: agent.socket, config });
    assert.equal(output?.["code"], 110);
    assert.deepEqual(agent.ops, ["add", "del"]);
  }
});

Deno.test("runCni() takes a missing agent for code 11, or 50 with STATUS, and leaves no file", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const socket = `${dir}/agent.sock`;
    for (
      const [command, expected] of [["ADD", 11], ["CHECK", 11], ["GC", 11], ["STATUS", 50]] as const
    ) {
      const config = netConf("1.1.0", EVERYTHING);
      const { code, output } = await callCni({ command, socket, config });
      assert.deepEqual([code, output?.["code"]], [1, expected]);
      assert.ok(String(output?.["msg"]).includes(socket));
    }
    assert.deepEqual(Array.from(Deno.readDirSync(dir)), []);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("runCni() STATUS and GC pass the agent's refusal on", async () => {
  const limited: StubReply = { ok: false, error: { code: 51, msg: "Underlay is down" } };
  await using agent = new StubAgent({ ready: limited, gc: limited });
  for (const command of ["STATUS", "GC"]) {
    const config = netConf("1.1.0", EVERYTHING);
    const { output } = await callCni({ command, socket: agent.socket, config });
    assert.deepEqual(output, { cniVersion: "1.1.0", code: 51, msg: "Underlay is down" });
  }
});

Deno.test("runCni() CHECK needs prevResult and forwards it", async () => {
  await using agent = new StubAgent();
  const without = await callCni({
    command: "CHECK",
    socket: agent.socket,
    config: netConf("0.4.0"),
  });
  assert.deepEqual([without.code, without.output?.["code"]], [1, 7]);
  const config = netConf("0.4.0", { prevResult: { interfaces: [{ name: "net1" }] } });
  assert.equal((await callCni({ command: "CHECK", socket: agent.socket, config })).code, 0);
  assert.deepEqual(agent.requests, [{ op: "check", ...KEY, netns: NETNS, config }]);
});

Deno.test("runCni() CHECK reports drift", async () => {
  const error = { code: 102, msg: 'Interface "net1" is missing' };
  await using agent = new StubAgent({ check: { ok: false, error } });
  const config = netConf("1.0.0", EVERYTHING);
  const { code, output } = await callCni({ command: "CHECK", socket: agent.socket, config });
  assert.deepEqual([code, output], [1, { cniVersion: "1.0.0", ...error }]);
});

Deno.test("runCni() GC takes both spellings of the list, an empty one too", async () => {
  const list = [{ containerID: "c1", ifname: "net1" }, { containerID: "c2", ifname: "net2" }];
  const valid = [KEY, { containerId: "c2", ifname: "net2" }];
  const cases: readonly [Readonly<Record<string, unknown>>, unknown][] = [
    [{ [VALID]: list }, valid],
    [{ "cni.dev/attachments": list }, valid],
    [{ [VALID]: list, "cni.dev/attachments": [] }, valid],
    [{ [VALID]: [] }, []],
  ];
  for (const [more, expected] of cases) {
    await using agent = new StubAgent();
    const config = netConf("1.1.0", more);
    assert.equal((await callCni({ command: "GC", socket: agent.socket, config })).code, 0);
    assert.deepEqual(agent.requests, [{ op: "gc", network: "lan1", valid: expected }]);
  }
});

Deno.test("runCni() GC refuses to guess the list", async () => {
  await using agent = new StubAgent();
  const lists = [undefined, null, {}, "c1", ["c1"], [{ containerID: "c1" }], [{ ifname: "net1" }]];
  for (const list of lists) {
    const config = netConf("1.1.0", { [VALID]: list });
    const { code, output } = await callCni({ command: "GC", socket: agent.socket, config });
    assert.deepEqual([code, output?.["code"]], [1, 7]);
  }
  assert.deepEqual(agent.ops, []);
});

Deno.test("runCni() refuses wrong types before it asks the agent", async () => {
  await using agent = new StubAgent();
  const cases: readonly [unknown, number][] = [
    [{ ...netConf(""), cniVersion: 1 }, 6],
    [netConf("1.1.0", { name: 1 }), 7],
    [netConf("1.1.0", { name: undefined }), 7],
    [netConf("1.1.0", { ipam: "host-local" }), 7],
    [netConf("1.1.0", { ipam: { type: "/bin/sh" } }), 7],
    [netConf("1.1.0", { dns: [] }), 7],
    [netConf("1.1.0", { prevResult: 1 }), 7],
    ["nonsense", 6],
    ["", 6],
    ["[".repeat(200_000), 6],
    [`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, 6],
    [Uint8Array.of(0xff), 6],
    ["x".repeat((1 << 20) + 1), 5],
  ];
  for (const [config, expected] of cases) {
    const { code, output } = await callCni({ command: "ADD", socket: agent.socket, config });
    assert.deepEqual([code, output?.["code"]], [1, expected]);
    assert.doesNotMatch(JSON.stringify(output), /\bat .*\.ts/);
  }
  assert.deepEqual(agent.ops, []);
});

Deno.test("runCni() refuses a bad environment before it reads anything", async () => {
  const { code, output } = await callCni({
    command: "ADD",
    socket: "/nonexistent/agent.sock",
    env: { CNI_IFNAME: "a/b" },
  });
  assert.deepEqual([code, output?.["code"]], [1, 4]);
  assert.match(String(output?.["msg"]), /CNI_IFNAME/);
});

Deno.test("runCni() DEL succeeds twice, without namespace and whatever its configuration", async () => {
  await using agent = new StubAgent();
  const configs = [
    netConf("1.1.0"),
    netConf("1.1.0"),
    netConf("7.7.7"),
    { cniVersion: 3, ipam: 3 },
    "nonsense",
    "",
    "[".repeat(200_000),
    "x".repeat((1 << 20) + 1),
  ];
  for (const config of configs) {
    const env = { CNI_NETNS: undefined };
    const { code, output } = await callCni({ command: "DEL", socket: agent.socket, config, env });
    assert.deepEqual([code, output], [0, undefined]);
  }
  assert.deepEqual(agent.requests, configs.map(() => ({ op: "del", ...KEY })));
});

Deno.test("runCni() DEL is remembered while the agent is away or fails", async () => {
  const failures: readonly StubReply[] = [
    "close",
    "hang",
    { raw: "nonsense\n" },
    { ok: false, error: { code: 103, msg: "Kernel said no" } },
  ];
  for (const reply of failures) {
    await using agent = new StubAgent({ del: reply });
    const config = netConf("1.1.0");
    const { code, notes } = await callCni({ command: "DEL", socket: agent.socket, config });
    assert.equal(code, 0);
    assert.match(notes, /"net1" of "c1" is not detached yet/);
    assert.deepEqual(queued(agent), [{ op: "del", ...KEY, netns: NETNS }]);
  }
});

Deno.test("runCni() forgets a remembered DEL once the agent did it, or made the interface anew", async () => {
  for (const command of ["DEL", "ADD"]) {
    await using agent = new StubAgent({ del: "close" });
    const call = { socket: agent.socket, config: netConf("1.1.0") };
    await callCni({ command: "DEL", ...call });
    await callCni({ command: "DEL", ...call, env: { CNI_IFNAME: "net2" } });
    assert.equal(queued(agent).length, 2);
    agent.reply("del", { ok: true, result: {} });
    assert.equal((await callCni({ command, ...call })).code, 0);
    assert.deepEqual(queued(agent).map((request) => request.ifname), ["net2"]);
  }
});

Deno.test("runCni() DEL succeeds where nothing can be remembered either", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${dir}/deletes`, "a file where the directory should be");
    const config = netConf("1.1.0");
    const { code, notes } = await callCni({ command: "DEL", socket: `${dir}/agent.sock`, config });
    assert.equal(code, 0);
    assert.match(notes, /could not be written down/);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("runCni() answers every mutilated configuration with a result or a CNI error", async () => {
  const good = JSON.stringify(netConf("1.1.0", {
    ...EVERYTHING,
    ipam: { type: "none" },
    dns: { nameservers: ["192.0.2.53"], search: [] },
  }));
  let seed = 1;
  const random = (below: number) => { // the generator of POSIX's rand(): repeatable
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const pieces = [
    '"',
    "{",
    "}",
    "[",
    "]",
    "null",
    "1e999",
    ":",
    ",",
    "\\u0000",
    "\ud800",
    "__proto__",
  ];
  for (let round = 0; round < 3000; round++) {
    let text = good;
    for (let edit = random(4); edit >= 0; edit--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(12));
    }
    const command = ["ADD", "CHECK", "STATUS", "GC"][random(4)]!;
    const socket = "/nonexistent/agent.sock";
    const { code, output } = await callCni({ command, socket, config: text });
    assert.equal(code, 1);
    assert.ok(typeof output?.["code"] === "number" && output["code"] < 100, text);
  }
});
