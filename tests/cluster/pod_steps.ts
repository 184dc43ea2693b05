/** Pods as docs/pods.md writes them: every object of that page, run. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { BUSYBOX_IMAGE } from "../../scripts/local_cluster/images.ts";
import { RESOURCE_PREFIX, SYSTEM_NAMESPACE } from "../../src/api/names.ts";
import { docObjects } from "../support/doc_objects.ts";
import { type PodObject, PODS } from "../support/pod_objects.ts";
import type { Product } from "../support/product.ts";
import { podObject, TEST_LABEL } from "../support/product_objects.ts";
import type { RawObject } from "../support/raw_kube.ts";
import { until } from "../support/until.ts";

const MANIFEST = new URL("../../deploy/k8slan-pod-webhook.yaml", import.meta.url).pathname;
const CONFIGURATION = "mutatingwebhookconfiguration/k8slan-pod-webhook";

/** What names a macvtap on that page, and has no resources lines. */
const WITH_WEBHOOK = ["router3", "router4", "gateway"];

export const POD_STEPS: Readonly<Record<string, (product: Product) => Promise<void>>> = {
  async "pods run as docs/pods.md writes them"(product) {
    const { cluster } = product;
    const objects = (await docObjects("docs/pods.md")).map((object) => runnable(product, object));
    const ofKind = (...kinds: readonly string[]) =>
      objects.filter(({ kind }) => kinds.includes(kind));
    await cluster.kubectl(["apply", "-f", MANIFEST]);
    try {
      // Instead of 2 s, for which the nodes may be too busy with pods.
      const patience = [{ op: "replace", path: "/webhooks/0/timeoutSeconds", value: 10 }];
      const patch = `--patch=${JSON.stringify(patience)}`;
      await cluster.kubectl(["patch", CONFIGURATION, "--type=json", patch]);
      await cluster.apply(ofKind("LAN", "NetworkAttachmentDefinition"));
      await product.untilCondition("lab", "Ready", "Ready");
      await product.untilCondition("uplink", "Ready", "Ready");
      await untilWebhookIsAsked(product);
      // First those that need the webhook: before the nodes are busy.
      const workloads = ofKind("Pod", "Deployment");
      const needsWebhook = ({ metadata }: RawObject) => WITH_WEBHOOK.includes(metadata.name);
      await cluster.apply(workloads.filter(needsWebhook));
      await cluster.apply(workloads.filter((object) => !needsWebhook(object)));
      for (const { metadata } of ofKind("Deployment")) {
        const rollout = ["rollout", "status", `deployment/${metadata.name}`];
        await cluster.kubectl([...rollout, "--timeout=90s"]);
      }
      for (const { metadata } of ofKind("Pod")) {
        await product.untilRunning(metadata.name, { timeout: 60_000 });
      }
      await looksAsWritten(product);
    } finally {
      await cluster.kubectl(["delete", "-f", MANIFEST, "--ignore-not-found"]);
    }
    // Nobody is asked any more, or nobody answers: the pod comes as it was written.
    await until("pods are left alone", async () => {
      return deepEmpty(await dryRun(product, "router1"));
    });
  },
};

/** The object in this cluster: with its image, its nodes, and a label to find it again. */
function runnable(product: Product, object: RawObject): RawObject {
  const pod = object.kind === "Deployment" ? object.spec.template : object;
  object.metadata.labels = { ...object.metadata.labels, [TEST_LABEL]: "yes" };
  if (!["Deployment", "Pod"].includes(object.kind)) return object;
  const { containers, nodeSelector } = pod.spec;
  for (const container of containers) {
    Object.assign(container, {
      image: BUSYBOX_IMAGE,
      imagePullPolicy: "Never",
      securityContext: { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
    });
  }
  // As first process, sleep is not ended by SIGTERM.
  pod.spec.terminationGracePeriodSeconds = 1;
  if (nodeSelector !== undefined) {
    const key = "kubernetes.io/hostname";
    nodeSelector[key] = product.node(nodeSelector[key]).node.name;
  }
  return object;
}

async function untilWebhookIsAsked(product: Product): Promise<void> {
  // The controller looks every half minute whether it may see the configuration by now.
  await until("the webhook for pods is asked", async () => {
    return !deepEmpty(await dryRun(product, "router1"));
  }, { timeout: 60_000, interval: 200 }).catch(async (cause) => {
    const yaml = await product.cluster.kubectl(["get", CONFIGURATION, "-o=yaml"]).catch(String);
    throw new Error(`${cause.message}\n${yaml}`, { cause });
  });
}

/** Resources of the container that a pod of that network would have. */
async function dryRun({ cluster }: Product, networks: string): Promise<unknown> {
  const { spec, ...pod } = podObject("probe", { networks });
  const containers = spec.containers.map(({ resources: _, ...container }) => container);
  const text = JSON.stringify({ ...pod, spec: { ...spec, containers } });
  const args = ["create", "--dry-run=server", "-o=json", "-f", "-"];
  return resourcesOf(JSON.parse(await cluster.kubectl(args, text)));
}

function resourcesOf(pod: RawObject): unknown {
  return pod.spec.containers[0].resources;
}

function deepEmpty(resources: unknown): boolean {
  return JSON.stringify(resources ?? {}) === "{}";
}

async function looksAsWritten(product: Product): Promise<void> {
  const pods = (await product.api.list(PODS, { namespace: "default" })).items;
  const find = (pattern: RegExp) => pods.filter(({ metadata }) => pattern.test(metadata.name));
  const ip = (pod: PodObject, ...args: readonly string[]) =>
    product.exec(pod.metadata.name, ["ip", ...args]);
  const one = (pattern: RegExp) => {
    const [pod, ...more] = find(pattern);
    ok(pod !== undefined && more.length === 0, `${pattern}`);
    return pod;
  };

  // No device where none is needed; one where the webhook added it, or where it was written.
  const devices = {
    ...{ router1: [], router2: ["router2"], router3: ["router3"], "router4-.*": ["router4"] },
    ...{ gateway: ["router5"], dns: [], border: [] },
  };
  for (const [name, spokes] of Object.entries(devices)) {
    const amounts = Object.fromEntries(spokes.map((spoke) => [`${RESOURCE_PREFIX}/${spoke}`, "1"]));
    const wanted = spokes.length === 0 ? {} : { limits: amounts, requests: amounts };
    deepStrictEqual(resourcesOf(one(new RegExp(`^${name}$`))), wanted, name);
  }
  for (const spoke of ["router2", "router3"]) {
    const pod = one(new RegExp(`^${spoke}$`));
    const node = product.nodes.find(({ name }) => name === pod.spec.nodeName);
    ok(node);
    match(await product.exec(spoke, ["ls", "-ln", node.tapPath(spoke)]), /^c/);
  }

  match(await ip(one(/^router1$/), "link", "show", "lan0"), /02:00:5e:10:00:01/i);
  const border = await ip(one(/^border$/), "link");
  match(border, /wan0.*lan0/s);

  // Addresses: as asked for, from each node's range, and none where nobody gives them.
  const dns = one(/^dns$/);
  const dnsLink = await ip(dns, "addr", "show", "dev", "net1");
  match(dnsLink, /02:00:5e:10:00:02.*10\.40\.0\.2\/24.*fd00:40::2\/64/is);
  strictEqual(find(/^web-[a-z0-9]+-[a-z0-9]+$/).length, 2);
  const seen = new Set<string>();
  for (const [worker, range] of [["worker1", [65, 126]], ["worker2", [129, 190]]] as const) {
    const replicas = find(new RegExp(`^web-${worker}-`));
    strictEqual(replicas.length, 2);
    for (const pod of replicas) {
      const text = await ip(pod, "addr", "show", "dev", "net1");
      const last = Number(/ 10\.40\.0\.(\d+)\/24/.exec(text)?.[1]);
      ok(last >= range[0] && last <= range[1], text);
      seen.add(`10.40.0.${last}`);
    }
  }
  strictEqual(seen.size, 4);

  // All of them on one LAN, over both nodes.
  for (const address of [...seen, "10.40.0.1", "10.40.0.2"]) {
    await product.exec("gateway", ["ping", "-c", "1", "-w", "15", address]);
  }
  const metrics = await product.cluster.kubectl([
    ...["get", "--raw"],
    `/api/v1/namespaces/${SYSTEM_NAMESPACE}/services/k8slan-webhook:metrics/proxy/metrics`,
  ]);
  match(metrics, /^k8slan_pod_webhook_decisions_total\{decision="mutated"\} \d+$/m);
}
