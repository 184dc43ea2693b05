import assert from "node:assert/strict";
import { callCni, netConf, NETNS } from "../../tests/support/cni_call.ts";
import { FakeIpam } from "../../tests/support/fake_ipam.ts";
import { StubAgent } from "../../tests/support/stub_agent.ts";
import type { CniEnv } from "./env.ts";
import { findIpamPlugin } from "./ipam.ts";

const FAKE = { ipam: { type: "fake" } };
const KEY = { containerId: "c1", ifname: "net1" };
const GIVEN = {
  cniVersion: "1.0.0",
  ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: { domain: "lan.test" },
};

Deno.test("runCni() ADD asks IPAM between making and configuring the interface", async () => {
  using ipam = new FakeIpam().on("ADD", GIVEN);
  let before: string[] | undefined;
  await using agent = new StubAgent();
  agent.reply("add", () => {
    before = ipam.calls;
    return { ok: true, result: { mac: "02:00:00:00:00:01", mtu: 1426 } };
  });
  const config = netConf("1.0.0", FAKE);
  const call = { command: "ADD", socket: agent.socket, config, path: ipam.dir };
  const { code, output } = await callCni(call);
  assert.equal(code, 0);
  assert.deepEqual(before, []);
  assert.deepEqual(ipam.calls, ["ADD"]);
  assert.deepEqual(agent.requests[1], {
    op: "configure",
    ...KEY,
    netns: NETNS,
    ips: GIVEN.ips,
    routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1" }],
  });
  assert.deepEqual(output, {
    cniVersion: "1.0.0",
    interfaces: [{ name: "net1", mac: "02:00:00:00:00:01", sandbox: NETNS }],
    ips: [{ interface: 0, ...GIVEN.ips[0] }],
    routes: GIVEN.routes,
    dns: GIVEN.dns,
  });
});

Deno.test("runCni() gives IPAM its own environment and input", async () => {
  using ipam = new FakeIpam().on("ADD", GIVEN);
  await using agent = new StubAgent();
  const text = `  ${JSON.stringify(netConf("0.4.0", FAKE))}\n`;
  const env = { CNI_ARGS: "IP=192.0.2.7" };
  const path = `/nonexistent:relative::${ipam.dir}`;
  const call = { command: "ADD", socket: agent.socket, config: text, path, env };
  assert.equal((await callCni(call)).code, 0);
  assert.equal(ipam.stdin, text);
  const { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_ARGS, CNI_PATH } = ipam.env;
  assert.deepEqual(
    [CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_ARGS, CNI_PATH],
    ["ADD", "c1", NETNS, "net1", "IP=192.0.2.7", path],
  );
});

Deno.test("runCni() ADD undoes everything when IPAM fails, and passes its error on", async () => {
  const refusal = { cniVersion: "1.0.0", code: 117, msg: "no addresses left", details: "range 0" };
  const cases: readonly [unknown, number, number, RegExp][] = [
    [refusal, 1, 117, /^no addresses left$/],
    ["plugin crashed", 2, 110, /"fake" ended with exit code 2/],
    ["", 1, 110, /"fake" ended with exit code 1/],
    ["not json", 0, 6, /not JSON/],
    [{}, 0, 6, /no addresses/],
    [{ ips: GIVEN.ips, routes: [{ dst: "0.0.0.0/0", table: 7 }] }, 0, 2, /"table": 7/],
    ["x".repeat(3 << 20), 0, 6, /not JSON/],
  ];
  for (const [printed, exitCode, expected, message] of cases) {
    using ipam = new FakeIpam().on("ADD", printed, exitCode);
    await using agent = new StubAgent();
    const config = netConf("1.0.0", FAKE);
    const call = { command: "ADD", socket: agent.socket, config, path: ipam.dir };
    const { code, output } = await callCni(call);
    assert.deepEqual([code, output?.["code"]], [1, expected]);
    assert.match(String(output?.["msg"]), message);
    assert.deepEqual(ipam.calls, ["ADD", "DEL"]);
    assert.deepEqual(agent.ops, ["add", "del"]);
  }
});

Deno.test("runCni() ADD releases the addresses when they can't be set", async () => {
  using ipam = new FakeIpam().on("ADD", GIVEN);
  const error = { code: 103, msg: "Address is taken" };
  await using agent = new StubAgent({ configure: { ok: false, error } });
  let released: string[] | undefined;
  agent.reply("del", () => {
    released = ipam.calls;
    return { ok: true, result: {} };
  });
  const config = netConf("1.1.0", FAKE);
  const call = { command: "ADD", socket: agent.socket, config, path: ipam.dir };
  const { output } = await callCni(call);
  assert.deepEqual(output, { cniVersion: "1.1.0", ...error });
  assert.deepEqual(released, ["ADD", "DEL"], "the address goes before the interface");
  assert.deepEqual(agent.ops, ["add", "configure", "del"]);
});

Deno.test("runCni() ADD still detaches when IPAM fails to release", async () => {
  using ipam = new FakeIpam().on("ADD", GIVEN).on("DEL", { code: 11, msg: "busy" }, 1);
  await using agent = new StubAgent({ configure: "close" });
  const config = netConf("1.1.0", FAKE);
  const call = { command: "ADD", socket: agent.socket, config, path: ipam.dir };
  const { output, notes } = await callCni(call);
  assert.equal(output?.["code"], 11);
  assert.match(notes, /undoing ADD: busy/);
  assert.deepEqual(agent.ops, ["add", "configure", "del"]);
});

Deno.test("runCni() ADD makes nothing when the IPAM plugin can't be found", async () => {
  await using agent = new StubAgent();
  const config = netConf("1.1.0", FAKE);
  const cases: readonly [string | undefined, number][] = [[undefined, 4], ["/nonexistent", 7]];
  for (const [path, expected] of cases) {
    const call = { command: "ADD", socket: agent.socket, config, ...(path ? { path } : {}) };
    const { output } = await callCni(call);
    assert.equal(output?.["code"], expected);
    assert.match(String(output?.["msg"]), /"fake".*CNI_PATH|CNI_PATH.*"fake"/);
  }
  assert.deepEqual(agent.ops, []);
});

Deno.test("runCni() DEL releases the addresses, then the interface, and never fails", async () => {
  for (const exitCode of [0, 1]) {
    using ipam = new FakeIpam().on("DEL", exitCode ? { code: 11, msg: "busy" } : "", exitCode);
    await using agent = new StubAgent();
    let released: string[] | undefined;
    agent.reply("del", () => {
      released = ipam.calls;
      return { ok: true, result: {} };
    });
    const config = netConf("0.3.1", FAKE);
    const call = { command: "DEL", socket: agent.socket, config, path: ipam.dir };
    const { code, output, notes } = await callCni(call);
    assert.deepEqual([code, output, released], [0, undefined, ["DEL"]]);
    assert.equal(notes.includes("busy"), exitCode === 1);
  }
});

Deno.test("runCni() DEL releases the addresses with the agent away", async () => {
  using ipam = new FakeIpam();
  const config = netConf("1.0.0", FAKE);
  const socket = `${ipam.dir}/agent.sock`;
  assert.equal((await callCni({ command: "DEL", socket, config, path: ipam.dir })).code, 0);
  assert.deepEqual(ipam.calls, ["DEL"]);
});

Deno.test("runCni() CHECK, STATUS and GC ask IPAM too and pass its error on", async () => {
  const more = { ...FAKE, prevResult: {}, "cni.dev/valid-attachments": [] };
  for (const command of ["CHECK", "STATUS", "GC"]) {
    using ipam = new FakeIpam();
    await using agent = new StubAgent();
    const config = netConf("1.1.0", more);
    const call = { command, socket: agent.socket, config, path: ipam.dir };
    assert.equal((await callCni(call)).code, 0);
    assert.deepEqual([ipam.calls, agent.ops.length], [[command], 1]);
    ipam.on(command, { code: 50, msg: "range is full" }, 1);
    const { code, output } = await callCni(call);
    assert.deepEqual([code, output?.["code"], output?.["msg"]], [1, 50, "range is full"]);
  }
});

Deno.test("runCni() GC goes on after IPAM's error and reports both", async () => {
  using ipam = new FakeIpam().on("GC", { code: 5, msg: "no such file" }, 1);
  const error = { code: 103, msg: "Kernel said no" };
  await using agent = new StubAgent({ gc: { ok: false, error } });
  const config = netConf("1.1.0", { ...FAKE, "cni.dev/valid-attachments": [] });
  const call = { command: "GC", socket: agent.socket, config, path: ipam.dir };
  const { output } = await callCni(call);
  assert.deepEqual(agent.ops, ["gc"]);
  assert.deepEqual([output?.["code"], output?.["msg"]], [5, "no such file"]);
  assert.match(String(output?.["details"]), /Kernel said no/);
});

const ENV: CniEnv = { command: "STATUS", socket: "/nonexistent" };

Deno.test("findIpamPlugin() kills a plugin that does not end, its children's pipe or not", async () => {
  for (const script of ["#!/bin/sh\nexec sleep 60\n", "#!/bin/sh\nsleep 8 &\nexec sleep 60\n"]) {
    using ipam = new FakeIpam("slow", script);
    const plugin = findIpamPlugin("slow", { ...ENV, path: ipam.dir }, new Uint8Array(), 150);
    const start = performance.now();
    await assert.rejects(plugin.run("STATUS"), { code: 11, message: /did not end within 0.15 s/ });
    assert.ok(performance.now() - start < 6000);
  }
});

Deno.test("findIpamPlugin() runs a plugin that reads none of its input", async () => {
  using ipam = new FakeIpam("deaf", "#!/bin/sh\nexec 0<&-\necho '{}'\n");
  const plugin = findIpamPlugin("deaf", { ...ENV, path: ipam.dir }, new Uint8Array(1 << 20));
  assert.equal(await plugin.run("STATUS"), "{}\n");
});

Deno.test("findIpamPlugin() says why a plugin could not be started", async () => {
  using ipam = new FakeIpam();
  Deno.chmodSync(`${ipam.dir}/fake`, 0o644);
  const plugin = findIpamPlugin("fake", { ...ENV, path: ipam.dir }, new Uint8Array());
  await assert.rejects(plugin.run("STATUS"), { code: 110, message: /could not be started/ });
});
