/** The command line in this process, with all it says in strings. */

import { runCli } from "../../src/cli/main.ts";

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliWorld {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Runs `k8slan ARGS…` on a machine named Worker1, whose environment is `world.env` alone. */
export async function cliRun(args: readonly string[], world: CliWorld = {}): Promise<CliRun> {
  let out = "";
  let err = "";
  const code = await runCli(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: (name) => world.env?.[name],
    stdin: () => Promise.resolve(world.stdin ?? ""),
    hostname: () => "Worker1",
  });
  return { code, out, err };
}

/** The LAN of the README. */
export const README_LAN = `apiVersion: lan.k8slan.io/v1beta1
kind: LAN
metadata:
    name: lan-test
    namespace: k8slan-system
spec:
  ns: knlvrf
  bridge: br2
  vxlan: vx2
  vni: 222
  defaultVxlanDev: eth0.10
  vxlanDevMap:
    worker1: eth1
    worker2: eth2
  spokes:
  - pod1
  - pod2
`;
