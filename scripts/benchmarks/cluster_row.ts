/** Row "cluster": the installed product on a real cluster of two nodes. */

import { type Bench, pause } from "./bench.ts";
import { attachAll, detachAll } from "./cluster_attach.ts";
import { idle, idleFindings } from "./cluster_idle.ts";
import { podFindings, podStarts } from "./cluster_pods.ts";
import { failOver, recoveryFindings, restartAgent } from "./cluster_recovery.ts";
import { applyLans, deleteLans, scaleFindings } from "./cluster_scale.ts";
import { ClusterStage, SPOKES } from "./cluster_stage.ts";
import type { Finding } from "./finding.ts";
import { loadAverage } from "./machine.ts";
import { table } from "./report.ts";

/** V8 tidies up for half a minute after work. */
const FULL = { lans: 100, rounds: 3, settleMs: 35_000, idleMs: 60_000, pods: 10 };
const QUICK: typeof FULL = { lans: 10, rounds: 1, settleMs: 1_000, idleMs: 5_000, pods: 2 };

export function clusterRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withCluster(async (cluster) => {
    bench.note(`further interfaces come from ${cluster.attacher}`);
    await using stage = await ClusterStage.open(cluster);
    return await stage.explained(() => measure(bench, stage));
  });
}

async function measure(bench: Bench, stage: ClusterStage): Promise<readonly Finding[]> {
  const { lans, rounds, settleMs, idleMs, pods } = bench.quick ? QUICK : FULL;
  const step = (what: string) => bench.note(`${what}; load average ${loadAverage()}`);
  const findings: Finding[] = [];
  const found = (some: readonly Finding[]) => {
    findings.push(...some);
    bench.note(`so far:\n${table(some)}`);
  };
  const quietly = async () => {
    await pause(settleMs);
    return await idle(stage, idleMs);
  };
  step("without LANs");
  const bare = await quietly();

  step("LANs applied and deleted");
  const applied = [await applyLans(stage, lans)];
  const deleted = [];
  for (let round = 0; round < rounds; round++) {
    deleted.push(await deleteLans(stage, lans));
    applied.push(await applyLans(stage, lans));
  }
  found(scaleFindings(lans, applied, deleted));

  const [, second] = stage.nodes;
  step("LANs attached");
  await attachAll(second, lans);
  step("with LANs");
  found(idleFindings(lans, idleMs, bare, await quietly()));
  await detachAll(second, lans);
  await Promise.all(stage.nodes.map((node) => stage.untilGiven(node, lans * SPOKES)));

  step("pods");
  found(podFindings(await podStarts(stage, pods)));

  step("agent and controllers ended");
  const agent = await restartAgent(stage, lans * SPOKES);
  found(recoveryFindings(lans, agent, {
    killed: await failOver(stage, "killed", lans),
    stopped: await failOver(stage, "stopped", lans),
    deleted: await failOver(stage, "deleted", lans),
  }));
  return findings;
}
