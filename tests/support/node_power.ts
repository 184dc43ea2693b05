/** Takes the power from a node of a cluster, and gives it back. */

import { cgroupProcesses, makeCgroup, removeCgroup } from "../../scripts/local_cluster/cgroups.ts";
import type { TestCluster } from "./cluster.ts";
import type { ClusterNode } from "./cluster_node.ts";
import { until } from "./until.ts";

/**
 * Nothing of the node runs any more, and what it had in memory is lost: mounts, `/run`, control groups,
 * namespaces and with them the links. What lies on its disk stays.
 */
export async function powerOff(cluster: TestCluster, node: ClusterNode): Promise<void> {
  const cgroup = `k8slan-cluster-${cluster.name}/${node.shortName}`;
  await until(`nothing runs on node "${node.name}"`, async () => {
    const pids = await cgroupProcesses(cgroup);
    for (const pid of pids) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile, or never again to be more than a zombie.
      }
    }
    return pids.length === 0;
  });
  // Kubelet would look for the container of each group that is left, for 3 seconds one by one.
  await removeCgroup(`${cgroup}/pods`);
  await makeCgroup(`${cgroup}/pods`);
  await node.run(["sh", "-euc", FORGET]);
}

/** Starts what an operating system starts; the rest is kubelet's. */
export async function powerOn(node: ClusterNode): Promise<void> {
  await Promise.all([node.containerd.start(), node.proxy.start()]);
  // Until containerd is all there, kubelet gives up at once, and is started again.
  await until("kubelet runs", () => node.kubelet.start().then(() => true), { timeout: 60_000 });
}

/** The programs of the cluster lie in /run/cluster, as if they were on the disk. */
const FORGET = `
mounts() {
  awk '$5 ~ "^/run/" && $5 !~ "^/run/cluster/" || $5 ~ "^/var/lib/(kubelet|containerd)/" { print $5 }' \\
    /proc/self/mountinfo | tac
}
mounts | while read -r path; do umount -l "$path"; done
find /run -mindepth 1 -maxdepth 1 ! -name cluster -exec rm -rf {} +
`;
