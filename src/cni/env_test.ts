import assert from "node:assert/strict";
import { CniCode } from "../api/agent_protocol.ts";
import { CniError } from "./cni_error.ts";
import { DELEGATED_ENV, readEnv } from "./env.ts";

const GOOD: Readonly<Record<string, string>> = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/blue",
  CNI_IFNAME: "net1",
};

function read(changes: Readonly<Record<string, string>> = {}) {
  const env: Record<string, string> = { ...GOOD, ...changes };
  return readEnv((name) => env[name]);
}

Deno.test("readEnv() takes what a runtime passes", () => {
  assert.deepEqual(read({ CNI_ARGS: "MAC=02:00:00:00:00:01", CNI_PATH: "/opt/cni/bin" }), {
    command: "ADD",
    containerId: "c1",
    netns: "/run/netns/blue",
    ifname: "net1",
    args: "MAC=02:00:00:00:00:01",
    path: "/opt/cni/bin",
    socket: "/run/k8slan/agent.sock",
  });
});

Deno.test("readEnv() takes every container ID and interface name the specification allows", () => {
  for (const CNI_CONTAINERID of ["0", "A.b_c-d", "f".repeat(128)]) read({ CNI_CONTAINERID });
  for (const CNI_IFNAME of ["e", "eth0.100", "x".repeat(15), "pod0123456789a", "é", "-x"]) {
    read({ CNI_IFNAME });
  }
});

Deno.test("readEnv() takes the agent's socket from K8SLAN_AGENT_SOCKET", () => {
  assert.equal(read({ K8SLAN_AGENT_SOCKET: "/tmp/a.sock" }).socket, "/tmp/a.sock");
  assert.equal(read({ K8SLAN_AGENT_SOCKET: "" }).socket, "/run/k8slan/agent.sock");
});

Deno.test("readEnv() refuses a bad variable with code 4 and its name", () => {
  const cases: readonly [Readonly<Record<string, string>>, string][] = [
    [{ CNI_COMMAND: "" }, "CNI_COMMAND"],
    [{ CNI_COMMAND: "add" }, "CNI_COMMAND"],
    [{ CNI_COMMAND: "__proto__" }, "CNI_COMMAND"],
    [{ CNI_CONTAINERID: "" }, "CNI_CONTAINERID"],
    [{ CNI_CONTAINERID: "-a" }, "CNI_CONTAINERID"],
    [{ CNI_CONTAINERID: "a/../b" }, "CNI_CONTAINERID"],
    [{ CNI_CONTAINERID: "a\nb" }, "CNI_CONTAINERID"],
    [{ CNI_CONTAINERID: "a@b" }, "CNI_CONTAINERID"],
    [{ CNI_CONTAINERID: "f".repeat(129) }, "CNI_CONTAINERID"],
    [{ CNI_IFNAME: "" }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "." }, "CNI_IFNAME"],
    [{ CNI_IFNAME: ".." }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "a/b" }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "a:b" }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "a b" }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "a\t" }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "x".repeat(16) }, "CNI_IFNAME"],
    [{ CNI_IFNAME: "é".repeat(8) }, "CNI_IFNAME"],
    [{ CNI_NETNS: "" }, "CNI_NETNS"],
    [{ CNI_NETNS: "netns/blue" }, "CNI_NETNS"],
    [{ CNI_NETNS: "/" + "x".repeat(5000) }, "CNI_NETNS"],
    [{ K8SLAN_AGENT_SOCKET: "agent.sock" }, "K8SLAN_AGENT_SOCKET"],
  ];
  for (const [changes, name] of cases) {
    assert.throws(() => read(changes), (error) => {
      assert.ok(error instanceof CniError);
      assert.equal(error.code, CniCode.InvalidEnvironment);
      assert.ok(error.message.includes(name), `${error.message} does not name ${name}`);
      return true;
    });
  }
});

Deno.test("readEnv() names all missing variables at once", () => {
  assert.throws(
    () => read({ CNI_CONTAINERID: "", CNI_IFNAME: "", CNI_NETNS: "" }),
    /CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS/,
  );
});

Deno.test("readEnv() refuses a value that is not UTF-8", () => {
  const get = (name: string) => {
    if (name === "CNI_IFNAME") throw new Deno.errors.InvalidData("not valid unicode");
    return GOOD[name];
  };
  assert.throws(() => readEnv(get), /CNI_IFNAME is not valid UTF-8/);
});

Deno.test("readEnv() lets DEL do without a usable namespace", () => {
  for (const CNI_NETNS of ["", "gone", "/" + "x".repeat(5000)]) {
    const env = read({ CNI_COMMAND: "DEL", CNI_NETNS });
    assert.ok(env.command === "DEL" && env.netns === undefined);
  }
});

Deno.test("readEnv() asks STATUS, GC and VERSION for no attachment", () => {
  for (const command of ["STATUS", "GC", "VERSION"]) {
    assert.equal(readEnv((name) => name === "CNI_COMMAND" ? command : undefined).command, command);
  }
});

Deno.test("readEnv() refuses to run as its own IPAM plugin", () => {
  assert.throws(() => read({ [DELEGATED_ENV]: "1" }), /IPAM plugin/);
});
