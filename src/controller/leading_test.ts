import { equal } from "node:assert/strict";
import { ControllerStage } from "../../tests/support/controller_stage.ts";
import { until } from "../../tests/support/until.ts";
import { NODES } from "../kube/resources.ts";
import { ClusterView } from "./cluster_view.ts";
import { newCounters } from "./counters.ts";
import { Leading } from "./leading.ts";

Deno.test("Leading has work when a node's readiness changes, and none at its heartbeats", async () => {
  await using stage = await ControllerStage.open();
  const { api, log } = stage;
  const stop = new AbortController();
  const view = new ClusterView({ api, log, namespace: "k8slan-system", onTrouble: () => {} });
  const watching = view.run(stop.signal);
  await stage.addNode("n1");
  await stage.attach("n1", await stage.create("a"), "a1");
  await stage.create("b");
  const beat = async (status: string, since?: string) => {
    await stage.beat("n1", status, since);
    const { resourceVersion } = (await api.get(NODES, { name: "n1" }))!.metadata;
    await until("it is seen", () => {
      return view.nodes.get({ name: "n1" })?.metadata.resourceVersion === resourceVersion;
    });
  };
  await beat("True");
  await until("all is seen", () => view.lans.size === 2 && view.lanNodes.size === 1);
  /** How many LANs are to be worked on after some beats; nobody works on them. */
  const workAfter = async (...beats: readonly Parameters<typeof beat>[]): Promise<number> => {
    const leading = new Leading({ view, api, log, counters: newCounters(), identity: "one" });
    const ignore = view.listen(leading);
    for (const args of beats) await beat(...args);
    ignore();
    return leading.queueLength;
  };
  equal(await workAfter(["True"], ["True"], ["True", "2026-02-03T00:00:00Z"]), 0);
  equal(await workAfter(["False"]), 1);
  equal(await workAfter(["False"], ["False"]), 0);
  equal(await workAfter(["Unknown", "2026-02-04T00:00:00Z"]), 1);
  equal(await workAfter(["Unknown", "2026-02-04T00:00:00Z"]), 0);
  equal(await workAfter(["True"]), 1);
  stop.abort();
  await watching;
});
