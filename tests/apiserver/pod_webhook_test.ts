/** The webhook for pods, called by a real API server as its manifest has it. */

import assert from "node:assert/strict";
import { DEFAULT_OPTIONS } from "../../scripts/manifests/common.ts";
import { podWebhookObjects } from "../../scripts/manifests/manifest.ts";
import { parseAttachConfig } from "../../src/api/cni_config.ts";
import { RESOURCE_NAME_ANNOTATION } from "../../src/api/names.ts";
import { type RunningServers, startServers } from "../../src/controller/servers.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  NETWORK_ATTACHMENT_DEFINITIONS,
} from "../../src/kube/resources.ts";
import { ApiServer } from "../support/api_server.ts";
import { TestFacts } from "../support/controller_facts.ts";
import { applyObject } from "../support/manifest_install.ts";
import { docObjects } from "../support/doc_objects.ts";
import { installLanCrd } from "../support/lan_crd.ts";
import { installNetworkCrd } from "../support/network_crd.ts";
import { type RawAnswer, RawKube, type RawObject } from "../support/raw_kube.ts";
import { until } from "../support/until.ts";
import {
  LESS_HASTY,
  LOOPBACK_NAMES,
  makePodConfiguration,
  makeSecret,
  PatientKubeApi,
  POD_CONFIGURATION_KEY,
  publishedForPods,
  storedCertificate,
} from "../support/webhook_stage.ts";

const NETWORKS = "k8s.v1.cni.cncf.io/networks";
const ONE = { "macvtap.k8slan.io/pod1": "1" };

let server: ApiServer;
let api: PatientKubeApi;
let kube: RawKube;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new PatientKubeApi(server.access(), { userAgent: "test", perSecond: 500, burst: 500 });
  kube = new RawKube(server.access());
  await installNetworkCrd(kube);
  await api.create(NAMESPACES, { metadata: { name: "k8slan-system" } });
  await makeSecret(api);
  for (const namespace of ["default", "kube-system", "k8slan-system"]) {
    await until(`namespace "${namespace}" is there`, async () => {
      return await api.get(NAMESPACES, { name: namespace }) !== undefined;
    });
    await makeNetwork("mine", "pod1", namespace);
  }
  await api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: { name: "lan-any", namespace: "default" },
  });
});

Deno.test.afterAll(async () => {
  kube[Symbol.dispose]();
  api[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

async function makeNetwork(name: string, spoke: string, namespace: string): Promise<void> {
  const annotations = { "k8s.v1.cni.cncf.io/resourceName": `macvtap.k8slan.io/${spoke}` };
  await api.create(NETWORK_ATTACHMENT_DEFINITIONS, { metadata: { name, namespace, annotations } });
}

/** A webhook that the API server asks, as long as it isn't disposed of. */
class Webhook implements AsyncDisposable {
  readonly #facts: TestFacts;
  readonly #servers: RunningServers;

  private constructor(facts: TestFacts, servers: RunningServers) {
    this.#facts = facts;
    this.#servers = servers;
  }

  static async start(failurePolicy: "Fail" | "Ignore" = "Ignore"): Promise<Webhook> {
    const facts = new TestFacts(api);
    const tuning = { hostname: "127.0.0.1", names: LOOPBACK_NAMES, timing: LESS_HASTY };
    const servers = await startServers(facts, tuning);
    const webhook = new Webhook(facts, servers);
    await makePodConfiguration(
      api,
      `https://127.0.0.1:${servers.webhookPort}/mutate-pods`,
      failurePolicy,
    );
    // API servers hear of a configuration some time after it is written.
    await until("the API server asks the webhook", async () => {
      await createPod({ networks: "mine" }).catch(() => {}); // by "Fail", it may be refused so far
      return await webhook.decided("mutated") > 0;
    }, { timeout: 20_000 });
    return webhook;
  }

  /** How often the webhook has come to a decision of that kind. */
  async decided(kind: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.#servers.metricsPort}/metrics`);
    const line = `^k8slan_pod_webhook_decisions_total\\{decision="${kind}"\\} (\\d+)$`;
    return Number(new RegExp(line, "m").exec(await answer.text())?.[1]);
  }

  async kill(): Promise<void> {
    this.#facts.stop.abort();
    await this.#servers[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await api.delete(MUTATING_WEBHOOK_CONFIGURATIONS, POD_CONFIGURATION_KEY);
    await this.kill();
  }
}

interface PodParts {
  readonly networks?: string;
  readonly namespace?: string;
  readonly resources?: object;
}

function podObject({ networks, resources }: PodParts): RawObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: "web-",
      annotations: networks === undefined ? {} : { [NETWORKS]: networks },
    },
    spec: {
      initContainers: [{ name: "init", image: "x" }],
      containers: [
        { name: "main", image: "x", ...(resources === undefined ? {} : { resources }) },
        { name: "other", image: "x" },
      ],
    },
  };
}

/** Makes a pod and deletes it; the answer is that of its creation. */
async function createPod(parts: PodParts): Promise<RawAnswer> {
  const path = `/api/v1/namespaces/${parts.namespace ?? "default"}/pods`;
  const answer = await kube.ask({ method: "POST", path, body: podObject(parts) });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  await kube.must({ method: "DELETE", path: `${path}/${answer.body.metadata.name}` });
  return answer;
}

function resourcesOf({ body }: RawAnswer): readonly RawObject[] {
  const { initContainers, containers } = body.spec;
  return [...initContainers, ...containers].map(({ resources }: RawObject) => resources);
}

Deno.test("the webhook for pods adds the device of a network that a pod names", async () => {
  await using webhook = await Webhook.start();
  const bare = await createPod({ networks: "mine,lan-any" });
  assert.deepEqual(resourcesOf(bare), [{}, { limits: ONE, requests: ONE }, {}]);
  assert.equal(bare.warnings, "");
  const listed = await createPod({ networks: `[{"name":"mine","interface":"lan0"}]` });
  assert.deepEqual(resourcesOf(listed), resourcesOf(bare));
  const limits = { cpu: "1" };
  const busy = await createPod({ networks: "default/mine@net5", resources: { limits } });
  const both = { ...limits, ...ONE };
  assert.deepEqual(resourcesOf(busy), [{}, { limits: both, requests: both }, {}]);
  // As KubeVirt writes its own.
  const before = await webhook.decided("unchanged");
  const asked = await createPod({ networks: "mine", resources: { limits: ONE } });
  assert.deepEqual(resourcesOf(asked), [{}, { limits: ONE, requests: ONE }, {}]);
  assert.deepEqual(resourcesOf(await createPod({ networks: "lan-any" })), [{}, {}, {}]);
  assert.equal(await webhook.decided("unchanged"), before + 2);
});

Deno.test("the webhook for pods is asked of no others", async () => {
  await using webhook = await Webhook.start();
  const kinds = ["mutated", "unchanged", "skipped", "malformed", "unread", "error"];
  const decisions = () => Promise.all(kinds.map((kind) => webhook.decided(kind)));
  const before = await decisions();
  const unasked: readonly PodParts[] = [
    {},
    { networks: "" },
    { networks: "mine", namespace: "kube-system" },
    { networks: "mine", namespace: "k8slan-system" },
  ];
  for (const parts of unasked) {
    assert.deepEqual(resourcesOf(await createPod(parts)), [{}, {}, {}], JSON.stringify(parts));
  }
  assert.deepEqual(await decisions(), before);
});

Deno.test("the webhook for pods warns of what it can't read, and lets the pod pass", async () => {
  await using _webhook = await Webhook.start();
  const cases: readonly (readonly [string, RegExp])[] = [
    ["[{", /Annotation .*networks.* is no JSON/],
    [`[{"name":"mine","cni-args":"${"x".repeat(250_000)}"`, /is no JSON/],
    [`mine@"x`, /is no JSON/],
    [`[${Array(60_000).fill("{}").join()}]`, /names 60000 networks/],
    ["absent", /There is no network .*default\/absent.* yet/],
  ];
  for (const [networks, warning] of cases) {
    const answer = await createPod({ networks });
    assert.deepEqual(resourcesOf(answer), [{}, {}, {}]);
    assert.match(answer.warnings, warning);
  }
  const padded = `[{"name":"mine","cni-args":{"pad":"${"x".repeat(250_000)}"}}]`;
  assert.deepEqual(resourcesOf(await createPod({ networks: padded }))[1]?.limits, ONE);
});

Deno.test("the webhook for pods fails no request while its certificates change", async () => {
  // By "Ignore" a failure would go unnoticed.
  await using _webhook = await Webhook.start("Fail");
  const certificates = new Set<string>();
  const bundles = new Set<string>();
  const end = performance.now() + 180_000;
  while (certificates.size <= 3 || bundles.size <= 2) {
    assert.ok(performance.now() < end, `${certificates.size} certificates in three minutes`);
    assert.deepEqual(resourcesOf(await createPod({ networks: "mine" }))[1]?.limits, ONE);
    certificates.add(await storedCertificate(api) ?? "");
    bundles.add(await publishedForPods(api));
  }
});

Deno.test("without the webhook for pods they come as they were written", async () => {
  await using webhook = await Webhook.start();
  await webhook.kill();
  const started = performance.now();
  for (let pod = 0; pod < 5; pod++) {
    assert.deepEqual(resourcesOf(await createPod({ networks: "mine" })), [{}, {}, {}]);
  }
  // Less than one wait for the webhook.
  assert.ok(performance.now() - started < 9_000);
});

for (const certificate of ["own", "cert-manager"] as const) {
  Deno.test(`an API server takes the manifest of the webhook for pods (${certificate})`, async () => {
    for (const object of podWebhookObjects(DEFAULT_OPTIONS, certificate)) {
      await applyObject(kube, JSON.parse(JSON.stringify(object)), { dryRun: true });
    }
  });
}

Deno.test("an API server takes every object that the documentation shows", async (t) => {
  await installLanCrd(api);
  for (const page of ["README.md", "docs/pods.md", "docs/protection.md"]) {
    await t.step(page, async () => {
      const objects = await docObjects(page);
      assert.notEqual(objects.length, 0);
      for (const object of objects) {
        await applyObject(kube, object, { dryRun: true });
        if (object.kind === "NetworkAttachmentDefinition") readConfig(object);
      }
    });
  }
});

/** Throws unless the plugin takes the definition's configuration, as multus hands it over. */
function readConfig({ metadata, spec }: RawObject): void {
  const resourceName = metadata.annotations?.[RESOURCE_NAME_ANNOTATION];
  const device = resourceName === undefined ? {} : { deviceID: resourceName.split("/")[1] };
  parseAttachConfig({ ...JSON.parse(spec.config), ...device }, "");
}
