import { deepEqual, equal, match } from "node:assert/strict";
import { cliRun } from "../../tests/support/cli_run.ts";
import { ATTACHED, StubAgent } from "../../tests/support/stub_agent.ts";

const ID = "cli-blue-2213740d";

Deno.test("attach() asks as a container runtime would, and prints what was made", async () => {
  await using agent = new StubAgent();
  const run = await cliRun(
    ["attach", "--lan", "lan1", "--spoke", "pod1", "--netns", "blue", "--socket", agent.socket],
  );
  deepEqual(run, {
    code: 0,
    err: "",
    out: 'Attached "net1" in "/run/netns/blue" to spoke "pod1" of LAN "default/lan1": ' +
      "macvtap, 02:00:00:00:00:01, MTU 1426, /dev/tap1048577\n",
  });
  deepEqual(agent.requests, [{
    op: "add",
    containerId: ID,
    ifname: "net1",
    netns: "/run/netns/blue",
    config: {
      cniVersion: "1.1.0",
      name: "k8slan-cli",
      type: "k8slan",
      lan: "lan1",
      spoke: "pod1",
    },
  }]);
});

Deno.test("attach() passes kind, address and MTU on", async () => {
  const { tap: _tap, spoke: _spoke, ...made } = { ...ATTACHED, attach: "veth" };
  await using agent = new StubAgent({ add: { ok: true, result: made } });
  const { out } = await cliRun([
    ...["attach", "--lan", "a/b", "--netns", "/run/netns/blue", "--ifname", "eth1"],
    ...["--attach", "veth", "--mac", "02-00-00-00-00-AA", "--mtu", "1400"],
    ...["--socket", agent.socket],
  ]);
  match(out, /to LAN "default\/lan1": veth, 02:00:00:00:00:01, MTU 1426\n$/);
  const [request] = agent.requests;
  equal(request?.["ifname"], "eth1");
  deepEqual(request?.["config"], {
    ...{ cniVersion: "1.1.0", name: "k8slan-cli", type: "k8slan", lan: "a/b" },
    ...{ attach: "veth", mac: "02:00:00:00:00:aa", mtu: 1400 },
  });
});

Deno.test("attach() gives programs the id that detach takes", async () => {
  await using agent = new StubAgent();
  const { out } = await cliRun(
    ["attach", "--spoke", "pod1", "--netns", "blue", "-o", "json", "--socket", agent.socket],
  );
  deepEqual(JSON.parse(out), { ...ATTACHED, id: ID });
});

for (const command of ["attach", "detach"]) {
  Deno.test(`${command}() prints the agent's refusal`, async () => {
    const refusal = {
      ok: false,
      error: { code: 100, msg: "No such LAN", details: "really" },
    } as const;
    await using agent = new StubAgent({ add: refusal, del: refusal });
    const lan = command === "attach" ? ["--lan", "lan9"] : [];
    const run = await cliRun([command, ...lan, "--netns", "blue", "--socket", agent.socket]);
    deepEqual(run, { code: 1, out: "", err: "k8slan: No such LAN: really\n" });
  });
}

for (
  const reply of ["close", { raw: "hello\n" }, { raw: "{}\n" }, { ok: true, result: 5 }] as const
) {
  Deno.test(`attach() is not misled by the answer ${JSON.stringify(reply)}`, async () => {
    await using agent = new StubAgent({ add: reply });
    const { code, out, err } = await cliRun(
      ["attach", "--lan", "lan1", "--netns", "blue", "--socket", agent.socket],
    );
    deepEqual([code, out], [1, ""]);
    match(err, /^k8slan: [^\n]+; (look at its log|run the same version of .*)\n$/);
  });
}

Deno.test("detach() names the attachment that attach made", async () => {
  await using agent = new StubAgent();
  const run = await cliRun(["detach", "--netns", "blue", "--socket", agent.socket]);
  const out = 'Interface "net1" of "/run/netns/blue" is detached\n';
  deepEqual(run, { code: 0, out, err: "" });
  deepEqual(agent.requests, [
    { op: "del", containerId: ID, ifname: "net1", netns: "/run/netns/blue" },
  ]);
});

Deno.test("detach() takes the id that status shows", async () => {
  await using agent = new StubAgent();
  const { out } = await cliRun(
    ["detach", "--id", "c0ffee", "--ifname", "eth1", "-o", "json", "--socket", agent.socket],
  );
  deepEqual(JSON.parse(out), { id: "c0ffee", ifname: "eth1" });
  deepEqual(agent.requests, [{ op: "del", containerId: "c0ffee", ifname: "eth1" }]);
});
