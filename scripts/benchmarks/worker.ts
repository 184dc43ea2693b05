/**
 * Our side of row "lan", as a process in the namespace of a node: reads one JSON request per line and
 * answers each with the milliseconds that the work took, like the Go program beside it.
 */

// deno-lint-ignore-file no-console -- its answers

import { describe } from "../../src/base/errors.ts";
import { LinuxKernel } from "../../src/kernel/linux.ts";
import { openPlace } from "../../src/kernel/places.ts";
import { createLink, deleteLink } from "../../src/netlink/link_request.ts";
import { HOST, type NetOp } from "../../src/plan/ops.ts";
import { lanOps } from "../../src/plan/preview.ts";
import type { WantedLan } from "../../src/plan/wanted.ts";
import { createNetns } from "../../src/sys/netns.ts";
import { ProcessMeter } from "./process_meter.ts";

export type WorkerRequest =
  /** Plans and makes the LAN, or of it the namespace alone. */
  | { readonly do: "lan" | "netns"; readonly wanted: WantedLan }
  /** Runs a shell script to its end. */
  | { readonly do: "script"; readonly script: string }
  /** Removes the LAN, whoever made it. Resolves when the kernel has forgotten its links. */
  | { readonly do: "clear"; readonly wanted: WantedLan }
  /** A pair of links, made and deleted without anything around it: the kernel's own time. */
  | { readonly do: "raw-add" | "raw-del" }
  /** Makes empty namespaces. */
  | { readonly do: "workloads"; readonly paths: readonly string[] };

export interface WorkerAnswer {
  readonly ms: number;
  readonly error?: string;
}

const RAW = { name: "raw0", peer: "raw1" };

async function main(netnsDir: string): Promise<void> {
  using kernel = new LinuxKernel(netnsDir);
  using host = openPlace(HOST);
  using meter = new ProcessMeter();
  const act = async (request: WorkerRequest): Promise<number> => {
    const started = performance.now();
    switch (request.do) {
      case "lan":
        await kernel.apply(lanOps(request.wanted));
        break;
      case "netns":
        await kernel.apply(lanOps(request.wanted).filter(({ op }) => op === "create-netns"));
        break;
      case "script":
        return await runScript(meter, request.script);
      case "clear":
        await kernel.apply(clearOps(request.wanted));
        await kernel.settled();
        break;
      case "raw-add": {
        const attrs = { kind: "veth", peer: { name: RAW.peer } } as const;
        host.client.execute([createLink({ name: RAW.name, attrs })]);
        break;
      }
      case "raw-del":
        host.client.execute([deleteLink({ name: RAW.name })]);
        break;
      case "workloads":
        for (const path of request.paths) {
          Deno.writeTextFileSync(path, "");
          createNetns(path, () => {});
        }
        break;
    }
    return performance.now() - started;
  };
  for await (const line of lines()) {
    let answer: WorkerAnswer;
    try {
      answer = { ms: await act(JSON.parse(line)) };
    } catch (error) {
      answer = { ms: 0, error: describe(error) };
    }
    console.log(JSON.stringify(answer));
  }
}

async function runScript(meter: ProcessMeter, script: string): Promise<number> {
  const { code, ms } = await meter.run(["/bin/sh", "-c", script]);
  if (code !== 0) throw new Error(`The script ended with ${code}:\n${script}`);
  return ms;
}

function clearOps(wanted: WantedLan): NetOp[] {
  const { netns: { path }, vxlan, attachments } = wanted;
  return [
    ...attachments.flatMap(({ spoke }) =>
      spoke === undefined ? [] : [{ op: "delete-link", at: HOST, name: spoke } as const]
    ),
    ...(vxlan === undefined ? [] : [{ op: "delete-link", at: path, name: vxlan.name } as const]),
    { op: "delete-netns", path },
  ];
}

async function* lines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

if (import.meta.main) await main(Deno.args[0] ?? "");
