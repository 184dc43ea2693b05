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

/** V8 tidies up for half a minute after work. */
const FULL = { lans: 100, rounds: 3, settleMs: 35_000, idleMs: 60_000, pairs: 10 };
const QUICK: typeof FULL = { lans: 10, rounds: 1, settleMs: 1_000, idleMs: 5_000, pairs: 2 };

export function clusterRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withCluster(async (cluster) => {
    bench.note(`further interfaces come from ${cluster.attacher}`);
    await using stage = await ClusterStage.open(cluster);
    return await stage.explained(() => measure(bench, stage));
  });
}

async function measure(bench: Bench, stage: ClusterStage): Promise<readonly Finding[]> {
  const { lans, rounds, settleMs, idleMs, pairs } = bench.quick ? QUICK : FULL;
  const step = (what: string) => bench.note(`${what}; load average ${loadAverage()}`);
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

  const [, second] = stage.nodes;
  step("LANs attached");
  await attachAll(second, lans);
  step("with LANs");
  const busy = await quietly();
  await detachAll(second, lans);
  await Promise.all(stage.nodes.map((node) => stage.untilGiven(node, lans * SPOKES)));

  step("pods");
  const starts = await podStarts(stage, pairs);
  step("agent restarted");
  const restart = await restartAgent(stage, lans * SPOKES);
  step("controllers ended");
  const killed = await failOver(stage, "killed", lans);
  const deletedPod = await failOver(stage, "deleted", lans);
  return [
    ...scaleFindings(lans, applied, deleted),
    ...idleFindings(lans, idleMs, bare, busy),
    ...podFindings(starts),
    ...recoveryFindings(lans, restart, killed, deletedPod),
  ];
}
