import { startCluster } from "../support/cluster.ts";
import { FaultStage } from "../support/fault_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { installProduct } from "../support/product.ts";
import { CONTROL_PLANE_STEPS } from "./fault_steps_control_plane.ts";
import { LAN_STEPS, MACHINE_STEPS } from "./fault_steps_lifecycle.ts";
import { NODE_STEPS } from "./fault_steps_node.ts";

rootTest("k8slan, while parts of its cluster fail", async (t) => {
  await using cluster = await startCluster({ nodes: 2 });
  using product = await installProduct(cluster);
  const stage = await FaultStage.start(product);
  const steps = { ...NODE_STEPS, ...CONTROL_PLANE_STEPS, ...LAN_STEPS };
  for (const [title, step] of Object.entries(steps)) await stage.step(t, title, step);
  await stage.leaveWorker2();
  for (const [title, step] of Object.entries(MACHINE_STEPS)) await stage.step(t, title, step);
});
