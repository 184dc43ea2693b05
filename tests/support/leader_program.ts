/**
 * A process that wants to lead and, as a leader, writes its name into a Lease that serves as paper:
 * IDENTITY. The kubeconfig is KUBECONFIG. Says on standard output what becomes of it.
 */

// deno-lint-ignore-file no-console

import { systemClock } from "../../src/base/clock.ts";
import { describe } from "../../src/base/errors.ts";
import { createLog } from "../../src/base/log.ts";
import { FencedKubeApi } from "../../src/kube/fenced_kube_api.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { findKubeAccess } from "../../src/kube/find_access.ts";
import { runAsLeader } from "../../src/kube/leader.ts";
import { LEASES } from "../../src/kube/resources.ts";

export const PAPER = { namespace: "default", name: "paper" };

async function main(identity: string): Promise<void> {
  const access = await findKubeAccess({ env: (name) => Deno.env.get(name) });
  using api = new FetchKubeApi(access, { userAgent: identity, perSecond: 500, burst: 500 });
  using leaseApi = new FetchKubeApi(access, { userAgent: identity });
  const stop = new AbortController();
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  console.log("started");
  const how = await runAsLeader({
    ...{ api: leaseApi, identity, signal: stop.signal, log: createLog({ level: "warn" }) },
    lease: { namespace: "default", name: "leader" },
    timing: { durationMs: 12_000, renewDeadlineMs: 8_000, retryMs: 500 },
  }, async (term) => {
    console.log("leads");
    const fenced = new FencedKubeApi(api, term);
    while (!term.signal.aborted) {
      try {
        const paper = await fenced.get(LEASES, PAPER);
        if (paper === undefined) throw new Error("There is no paper");
        await fenced.replace(LEASES, { ...paper, spec: { holderIdentity: identity } });
      } catch (error) {
        console.log(describe(error));
      }
      await systemClock.sleep(20, term.signal);
    }
  });
  console.log(how);
  Deno.exit(how === "lost" ? 1 : 0);
}

if (import.meta.main) await main(Deno.args[0] ?? "");
