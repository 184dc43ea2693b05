/** deploy/uninstall, with the product as users have it. */

import { deepStrictEqual, match, ok, rejects } from "node:assert/strict";
import { kubernetesBinaries } from "../../scripts/local_cluster/kubernetes_binaries.ts";
import { toolsFolder } from "../../scripts/local_cluster/tools.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { runProgram } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import { installProduct, type Product } from "../support/product.ts";
import { lanObject, podObject } from "../support/product_objects.ts";

const SCRIPT = new URL("../../deploy/uninstall", import.meta.url).pathname;
const POD_WEBHOOK = new URL("../../deploy/k8slan-pod-webhook.yaml", import.meta.url).pathname;

/** Everything of ours on a node, the product itself included. */
const LISTING = `
ls -d /run/k8slan /var/lib/k8slan /var/cache/k8slan /opt/cni/bin/k8slan /opt/cni/bin/macvtap \
  /opt/cni/bin/.k8slan* /var/lib/kubelet/device-plugins/*k8slan-* 2>/dev/null
ip -d link | grep k8slan
grep k8slan/netns /proc/self/mountinfo
exit 0
`;

/** What the plugin needs to run. */
const PLUGIN = /^\/(opt\/cni\/bin|var\/(lib|cache)\/k8slan$)/;
/** Of the cluster itself. */
const ATTACHER = "network-attacher";

async function uninstall(cluster: TestCluster, ...options: readonly string[]): Promise<string> {
  const kubectl = `${await kubernetesBinaries(toolsFolder(), () => {})}/kubectl`;
  const env = { KUBECTL: kubectl, KUBECONFIG: cluster.kubeconfig };
  return await runProgram([SCRIPT, "--timeout", "60", ...options], { env });
}

/** What there is of the product in the cluster and on its nodes. */
async function remains(cluster: TestCluster): Promise<string[]> {
  const kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations," +
    "validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings,crd,namespaces";
  const inCluster = await cluster.kubectl(["get", kinds, "-o=name"]);
  const networks = await cluster.kubectl(["get", "net-attach-def", "-A", "-o=name"]);
  const onNodes = await Promise.all(cluster.nodes.map((node) => node.run(["sh", "-c", LISTING])));
  return [
    ...inCluster.split("\n").filter((line) => line.includes("k8slan") && !line.includes(ATTACHER)),
    ...[networks, ...onNodes].flatMap((text) => text.split("\n")).filter((line) => line !== ""),
  ];
}

async function attachPod(product: Product): Promise<void> {
  await product.cluster.apply(lanObject("lan", { vni: 7, spokes: ["pod1"] }));
  await product.untilAllocatable(["pod1"]);
  await product.cluster.apply(podObject("web", { networks: "pod1", spokes: ["pod1"] }));
  await product.untilRunning("web");
  await product.untilCondition("lan", "InUse", "Attached").catch(() => {});
}

async function deletePod({ cluster }: Product): Promise<void> {
  await cluster.kubectl(["delete", "pod", "web", "--timeout=30s"]);
}

rootTest("deploy/uninstall", async (t) => {
  await using cluster = await startCluster({ nodes: 2 });
  {
    using product = await installProduct(cluster);
    await cluster.kubectl(["apply", "-f", POD_WEBHOOK]);
    await t.step("refuses while a pod is attached, and touches nothing", async () => {
      await attachPod(product);
      const before = await remains(cluster);
      await rejects(
        uninstall(cluster),
        /pod default\/web on .*, net1, spoke pod1\n.*end them/,
      );
      deepStrictEqual(await remains(cluster), before);
      match(await product.exec("web", ["ip", "link", "show", "net1"]), /UP/);
    });

    await t.step("leaves nothing, in the cluster and on the nodes", async () => {
      await deletePod(product);
      const started = performance.now();
      match(await uninstall(cluster), /k8slan is off this cluster/);
      say(`uninstalled in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
      deepStrictEqual(await remains(cluster), []);
    });

    await t.step("has nothing to do a second time", async () => {
      match(await uninstall(cluster), /k8slan is off this cluster/);
    });
  }

  {
    using product = await installProduct(cluster);
    await t.step("by force takes interfaces away, and pods can still end", async () => {
      await attachPod(product);
      const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "of-a-user" } };
      await cluster.apply({
        ...object,
        metadata: { ...object.metadata, namespace: "k8slan-system" },
      });
      const said = await uninstall(cluster, "--force", "--timeout", "20");
      match(said, /successfully rolled out/);
      match(said, /configmap\/of-a-user\n(.*\n)*.*Namespace k8slan-system stays/);
      await rejects(product.exec("web", ["ip", "link", "show", "net1"]));
      const left = await remains(cluster);
      ok(left.includes("/opt/cni/bin/k8slan"), left.join("\n"));
      deepStrictEqual(
        left.filter((line) => !PLUGIN.test(line)),
        ["namespace/k8slan-system"],
      );
      await deletePod(product);
    });
  }
});

function say(line: string): void {
  // deno-lint-ignore no-console -- how long it takes is worth knowing
  console.log(line);
}
