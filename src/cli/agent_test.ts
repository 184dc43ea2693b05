import { deepEqual, equal, match, throws } from "node:assert/strict";
import type { CliHost } from "./host.ts";
import { agentOptions } from "./agent.ts";
import { UsageError } from "./exit_code.ts";

const COMMON = {
  runDir: "/run/k8slan",
  stateDir: "/var/lib/k8slan",
  tapOwner: { uid: 107, gid: 107 },
  logLevel: "info",
  probeInterval: 10,
} as const;

function host(env: Readonly<Record<string, string>> = {}, hostname = "Host-1"): CliHost {
  const unused = () => {
    throw new Error("not to be used");
  };
  return {
    ...{ out: unused, err: unused, stdin: unused },
    env: (name) => env[name],
    hostname: () => hostname,
  };
}

Deno.test("agentOptions() without --standalone is for a cluster", () => {
  const { env } = host();
  deepEqual(agentOptions(COMMON, { ...host(), env }), {
    ...{ ...COMMON, node: "host-1", healthPort: 9814, standalone: false },
    cluster: { env, kubeletDir: "/var/lib/kubelet", cniBinDir: "/opt/cni/bin" },
  });
});

Deno.test("agentOptions() takes all options of a cluster", () => {
  const given = {
    node: "worker1",
    kubeconfig: "/k",
    kubeletDir: "/d",
    cniBinDir: "/b",
    healthPort: 0,
  };
  const { env } = host();
  deepEqual(agentOptions({ ...COMMON, ...given }, { ...host(), env }), {
    ...{ ...COMMON, node: "worker1", healthPort: 0, standalone: false },
    cluster: { kubeconfig: "/k", env, kubeletDir: "/d", cniBinDir: "/b" },
  });
});

Deno.test("agentOptions() with --standalone needs nothing of a cluster, nor a node name of one", () => {
  const options = agentOptions(
    { ...COMMON, standalone: true, lans: "/lans" },
    host({}, "my_host"),
  );
  deepEqual(options, { ...COMMON, node: "my_host", standalone: true, lansDir: "/lans" });
  const withPeers = { ...COMMON, standalone: true, lans: "/lans", peers: "peers" } as const;
  const { peersFile } = { peersFile: undefined, ...agentOptions(withPeers, host()) };
  match(peersFile ?? "", /^\/.*\/peers$/);
});

Deno.test("agentOptions() takes the node's name from NODE_NAME before the host's", () => {
  equal(agentOptions(COMMON, host({ NODE_NAME: "n1" }, "other")).node, "n1");
});

const refused: readonly (readonly [string, object, RegExp])[] = [
  ["peers in a cluster", { peers: "/peers" }, /--peers is for --standalone/],
  ["LAN files in a cluster", { lans: "/lans" }, /with --standalone; a cluster has LAN objects/],
  ["a name that no node has", { node: "my_host" }, /^"my_host" cannot be the name of a node/],
  ["no folder of LAN files", { standalone: true }, /needs a folder of LAN files: --lans/],
  ...["kubeconfig", "kubeletDir", "cniBinDir"].map((option) =>
    [
      `${option} without a cluster`,
      { standalone: true, lans: "/lans", [option]: "/x" },
      /^--[a-z-]+ is for an agent in a cluster/,
    ] as const
  ),
];

for (const [what, command, message] of refused) {
  Deno.test(`agentOptions() refuses ${what}`, () => {
    throws(() => agentOptions({ ...COMMON, ...command }, host()), (error) => {
      return error instanceof UsageError && message.test(error.message);
    });
  });
}
