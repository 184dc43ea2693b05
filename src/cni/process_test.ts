/** What only a process of its own can show: streams, exit codes, permissions. */

import assert from "node:assert/strict";
import { netConf, spawnCni } from "../../tests/support/cni_call.ts";
import { FakeIpam } from "../../tests/support/fake_ipam.ts";
import { StubAgent } from "../../tests/support/stub_agent.ts";
import { readDeletes } from "../base/delete_queue.ts";

Deno.test("cniMain() prints one line on success and nothing on stderr", async () => {
  await using agent = new StubAgent();
  const config = netConf("1.1.0", { padding: "x".repeat(200_000) });
  const { code, output, notes } = await spawnCni({ command: "ADD", socket: agent.socket, config });
  assert.deepEqual([code, output?.["cniVersion"], notes], [0, "1.1.0", ""]);
  assert.deepEqual(agent.requests[0]?.["config"], config);
});

Deno.test("cniMain() gives up on 100 MB of input after the first", async () => {
  await using agent = new StubAgent();
  let pulled = 0;
  const chunk = new Uint8Array(64 * 1024).fill(0x5b);
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += chunk.length;
      if (pulled > 100e6) controller.close();
      else controller.enqueue(chunk);
    },
  });
  const call = { command: "ADD", socket: agent.socket, config: endless };
  const { code, output } = await spawnCni(call);
  assert.deepEqual([code, output?.["code"]], [1, 5]);
  assert.ok(pulled < 4e6, `${pulled} bytes were read`);
});

Deno.test("cniMain() answers hostile input with a CNI error and no stack trace", async () => {
  const deep = `{"cniVersion":"1.1.0","name":"x","a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  const cases: readonly [unknown, Readonly<Record<string, string>>, number][] = [
    [deep, {}, 6],
    ["", {}, 6],
    [Uint8Array.of(0, 1, 2, 0xff), {}, 6],
    ['{"__proto__":{"cniVersion":"1.1.0"},"constructor":{"prototype":{"name":1}}}', {}, 1],
    [netConf("1.1.0"), { CNI_IFNAME: "../x" }, 4],
    [netConf("1.1.0"), { CNI_ARGS: "x".repeat(100_000) }, 11],
  ];
  for (const [config, env, expected] of cases) {
    const socket = "/nonexistent/agent.sock";
    const { code, output, notes } = await spawnCni({ command: "ADD", socket, config, env });
    assert.deepEqual([code, output?.["code"], notes], [1, expected, ""]);
  }
});

Deno.test("cniMain() refuses a variable that is not UTF-8", async () => {
  const entry = new URL("../../tests/support/cni_entry.ts", import.meta.url).pathname;
  const script = 'CNI_IFNAME=$(printf "\\377") exec "$0" run -A --quiet "$1" </dev/null';
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", script, Deno.execPath(), entry],
    env: { CNI_COMMAND: "DEL", CNI_CONTAINERID: "c1" },
  }).output();
  assert.equal(code, 1);
  assert.equal(JSON.parse(new TextDecoder().decode(stdout)).code, 4);
});

Deno.test("cniMain() DEL exits 0 without an agent and leaves the request for it", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const socket = `${dir}/run/agent.sock`;
    for (const config of [netConf("1.1.0"), "nonsense"]) {
      const { code, output, notes } = await spawnCni({ command: "DEL", socket, config });
      assert.deepEqual([code, output], [0, undefined]);
      assert.match(notes, /^k8slan: .*"net1" of "c1" is not detached yet/m);
    }
    assert.deepEqual(readDeletes(`${dir}/run/deletes`).map((file) => file.request), [
      { op: "del", containerId: "c1", ifname: "net1", netns: "/run/netns/blue" },
    ]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("cniMain() passes an IPAM plugin's stderr through", async () => {
  const script = '#!/bin/sh\necho lease renewed >&2\necho \'{"ips":[{"address":"192.0.2.7/24"}]}\'';
  using ipam = new FakeIpam("chatty", script);
  await using agent = new StubAgent();
  const config = netConf("1.0.0", { ipam: { type: "chatty" } });
  const call = { command: "ADD", socket: agent.socket, config, path: ipam.dir };
  const { code, notes } = await spawnCni(call);
  assert.deepEqual([code, notes], [0, "lease renewed\n"]);
});

Deno.test("cniMain() gives up FFI, and starting programs unless there is IPAM", async () => {
  using ipam = new FakeIpam().on("ADD", { ips: [{ address: "192.0.2.7/24" }] });
  await using agent = new StubAgent();
  const role = new URL("./main.ts", import.meta.url).href;
  const code = `import { cniMain } from "${role}"; await cniMain();
    const attempt = (act) => { try { act(); return "done"; } catch (error) { return error.name; } };
    console.error(
      attempt(() => Deno.dlopen("libc.so.6", {}).close()),
      attempt(() => new Deno.Command("true").outputSync()),
    );`;
  const cases: readonly [Readonly<Record<string, unknown>>, string][] = [
    [{}, "NotCapable NotCapable"],
    [{ ipam: { type: "fake" } }, "NotCapable done"],
  ];
  for (const [more, expected] of cases) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", code],
      env: {
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: "c1",
        CNI_NETNS: "/run/netns/blue",
        CNI_IFNAME: "net1",
        CNI_PATH: ipam.dir,
        K8SLAN_AGENT_SOCKET: agent.socket,
      },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await new Blob([JSON.stringify(netConf("1.0.0", more))]).stream().pipeTo(child.stdin);
    const { stderr } = await child.output();
    assert.equal(new TextDecoder().decode(stderr).trim(), expected);
  }
});
