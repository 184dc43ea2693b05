/** The reference IPAM plugins (containernetworking/plugins), where they are installed. */

import assert from "node:assert/strict";
import { callCni, netConf } from "../../tests/support/cni_call.ts";
import { StubAgent } from "../../tests/support/stub_agent.ts";
import { SUPPORTED_VERSIONS } from "./config.ts";

const CANDIDATES = [Deno.env.get("CNI_PLUGINS"), "/usr/lib/cni", "/opt/cni/bin"];

function installed(dir: string | undefined): dir is string {
  try {
    return dir !== undefined && Deno.statSync(`${dir}/host-local`).isFile;
  } catch {
    return false;
  }
}

const PATH = CANDIDATES.find(installed);

/** A test of the real plugins; its name says so if it is ignored, and why. */
function testPlugins(name: string, run: (path: string) => Promise<void>) {
  if (PATH !== undefined) Deno.test(name, () => run(PATH));
  else {Deno.test.ignore(
      `${name} (ignored: no host-local in CNI_PLUGINS, /usr/lib/cni, /opt/cni/bin)`,
      () => {},
    );}
}

/** Versions that both the installed plugin and we speak. */
async function versions(path: string, type: string): Promise<string[]> {
  const env = { CNI_COMMAND: "VERSION" };
  const { stdout } = await new Deno.Command(`${path}/${type}`, { env, stdin: "null" }).output();
  const { supportedVersions } = JSON.parse(new TextDecoder().decode(stdout));
  return SUPPORTED_VERSIONS.filter((version) => supportedVersions.includes(version));
}

/** host-local with its files in a directory of the test's own. */
class Range implements Disposable {
  readonly dataDir = Deno.makeTempDirSync({ prefix: "k8slan-ipam-" });

  config(version: string, more: Readonly<Record<string, unknown>> = {}) {
    const ranges = [[{ subnet: "192.0.2.0/29" }], [{ subnet: "2001:db8::/125" }]];
    const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
    const ipam = { type: "host-local", dataDir: this.dataDir, ranges, routes };
    return netConf(version, { ipam, ...more });
  }

  /** Addresses handed out. */
  get taken(): string[] {
    return Array.from(Deno.readDirSync(`${this.dataDir}/lan1`), (entry) => entry.name)
      .filter((name) => /^[0-9a-f.:]+$/.test(name)).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dataDir, { recursive: true });
  }
}

testPlugins("host-local gives and takes addresses in every version it speaks", async (path) => {
  for (const version of await versions(path, "host-local")) {
    using range = new Range();
    await using agent = new StubAgent();
    const config = range.config(version);
    const call = { socket: agent.socket, config, path };
    const { code, output } = await callCni({ command: "ADD", ...call });
    assert.equal(code, 0, JSON.stringify(output));
    const family = (number: string) => version < "1.0.0" ? { version: number } : {};
    assert.deepEqual(output?.["ips"], [
      { ...family("4"), interface: 0, address: "192.0.2.2/29", gateway: "192.0.2.1" },
      { ...family("6"), interface: 0, address: "2001:db8::2/125", gateway: "2001:db8::1" },
    ]);
    assert.deepEqual(agent.requests[1]?.["routes"], [
      { dst: "0.0.0.0/0", gw: "192.0.2.1" },
      { dst: "::/0", gw: "2001:db8::1" },
    ]);
    assert.deepEqual(range.taken, ["192.0.2.2", "2001:db8::2"]);

    const check = { ...call, command: "CHECK", config: { ...config, prevResult: output } };
    const checks = version >= "0.4.0" ? 0 : 1;
    assert.equal((await callCni(check)).code, checks);
    for (let time = 0; time < 2; time++) {
      assert.equal((await callCni({ command: "DEL", ...call })).code, 0);
      assert.deepEqual(range.taken, []);
    }
    assert.equal((await callCni(check)).code, 1);
  }
});

testPlugins("host-local gets its addresses back when ADD fails later", async (path) => {
  using range = new Range();
  const error = { code: 103, msg: "Kernel said no" };
  await using agent = new StubAgent({ configure: { ok: false, error } });
  const call = { command: "ADD", socket: agent.socket, config: range.config("1.0.0"), path };
  assert.equal((await callCni(call)).output?.["code"], 103);
  assert.deepEqual(range.taken, []);
});

testPlugins("host-local's own error reaches the runtime and nothing stays", async (path) => {
  using range = new Range();
  await using agent = new StubAgent();
  for (let pod = 0; pod < 6; pod++) {
    const env = { CNI_CONTAINERID: `c${pod}` };
    const call = { command: "ADD", socket: agent.socket, config: range.config("1.0.0"), path, env };
    const { code, output } = await callCni(call);
    assert.equal(code, pod < 5 ? 0 : 1);
    if (pod === 5) assert.match(String(output?.["msg"]), /no IP addresses available/);
  }
  assert.deepEqual(agent.ops.slice(-2), ["add", "del"]);
});

testPlugins("static's addresses, routes and DNS are taken as configured", async (path) => {
  await using agent = new StubAgent();
  const ipam = {
    type: "static",
    addresses: [{ address: "192.0.2.7/24", gateway: "192.0.2.1" }, { address: "2001:db8::7/64" }],
    routes: [{ dst: "198.51.100.0/24", gw: "192.0.2.9" }],
    dns: { nameservers: ["192.0.2.53"], search: ["lan.test"] },
  };
  const call = { command: "ADD", socket: agent.socket, config: netConf("1.0.0", { ipam }), path };
  const { output } = await callCni(call);
  assert.deepEqual(output?.["ips"], ipam.addresses.map((ip) => ({ interface: 0, ...ip })));
  assert.deepEqual(output?.["routes"], ipam.routes);
  assert.deepEqual(output?.["dns"], ipam.dns);
});

testPlugins("static's addresses are those that the pod asks for", async (path) => {
  const ipam = { type: "static", addresses: [{ address: "192.0.2.7/24" }] };
  const asked = ["192.0.2.9/24", "2001:db8::9/64"];
  const capable = { capabilities: { ips: true }, runtimeConfig: { ips: asked } };
  const cases = [
    { more: capable, env: {}, expected: asked },
    // As multus writes the same beside it, whether the network declares the capability or not.
    { more: capable, env: { CNI_ARGS: `IgnoreUnknown=1;IP=${asked}` }, expected: asked },
    {
      more: {},
      env: { CNI_ARGS: `IgnoreUnknown=1;IP=${asked}` },
      expected: ["192.0.2.7/24", ...asked],
    },
    { more: {}, env: {}, expected: ["192.0.2.7/24"] },
  ];
  for (const { more, env, expected } of cases) {
    await using agent = new StubAgent();
    const config = netConf("1.0.0", { ipam, ...more });
    const call = { command: "ADD", socket: agent.socket, config, path, env };
    const { code, output } = await callCni(call);
    assert.equal(code, 0, JSON.stringify(output));
    const ips: unknown = output?.["ips"];
    assert.ok(Array.isArray(ips));
    assert.deepEqual(ips.map(({ address }) => address), expected);
  }
});
