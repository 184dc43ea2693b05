/** Row "pods": what the webhook for pods takes of a pod's creation, beside one it is not asked about. */

import { startServers } from "../../src/controller/servers.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { keyText, type ObjectKey } from "../../src/kube/objects.ts";
import {
  NAMESPACES,
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../../src/kube/resources.ts";
import type { ApiServer } from "../../tests/support/api_server.ts";
import { TestFacts } from "../../tests/support/controller_facts.ts";
import { installNetworkCrd } from "../../tests/support/network_crd.ts";
import { RawKube } from "../../tests/support/raw_kube.ts";
import { until } from "../../tests/support/until.ts";
import {
  LOOPBACK_NAMES,
  makePodConfiguration,
  makeSecret,
} from "../../tests/support/webhook_stage.ts";
import type { Bench } from "./bench.ts";
import type { Finding } from "./finding.ts";
import type { Section } from "./section.ts";
import { median, quantile } from "./stats.ts";

/** Milliseconds above a pod that the webhook is not asked about. */
const BUDGET = 10;
const NAMESPACE = "default";
const OWN = "own";
const THEIRS = "theirs";

export const PODS_SECTION: Section = {
  heading: "## Webhook for pods",
  about: `Written by \`scripts/bench pods\`: what it takes of a pod's creation that it adds a device
(\`docs/pods.md\`). Pods whose annotation names no network are not its business and take no longer.`,
  notes: `How:

- **A pod**: from the request to a real API server to its answer, created by dry run, over one
  connection, in turns; the webhook runs in the process that asks, with its own certificate.
- **Definition of the controller's**: known without asking. **Of a person's**: read for each pod.
- **Webhook away**: nobody listens at its port.
`,
};

export function podsRow(bench: Bench): Promise<readonly Finding[]> {
  return bench.withApiServer((server) => measure(bench, server));
}

async function measure(bench: Bench, server: ApiServer): Promise<readonly Finding[]> {
  using api = new FetchKubeApi(server.access(), { userAgent: "bench", perSecond: 500, burst: 500 });
  using kube = new RawKube(server.access());
  await installNetworkCrd(kube);
  await api.create(NAMESPACES, { metadata: { name: "k8slan-system" } });
  await makeSecret(api);
  await until("the namespace is there", async () => {
    return await api.get(NAMESPACES, { name: NAMESPACE }) !== undefined;
  });
  const facts = new KnowingFacts(api, await makeNetwork(api, OWN));
  await makeNetwork(api, THEIRS);
  const tuning = { hostname: "127.0.0.1", names: LOOPBACK_NAMES };
  const webhook = await startServers(facts, tuning);
  await makePodConfiguration(api, `https://127.0.0.1:${webhook.webhookPort}/mutate-pods`);
  const create = (networks?: string) => createPod(kube, networks);
  await until("the webhook is asked", async () => (await create(OWN)).isMutated);

  const count = bench.quick ? 20 : 300;
  const [none, own, theirs] = await inTurns(count, [undefined, OWN, THEIRS], create, true);
  facts.stop.abort();
  await webhook[Symbol.asyncDispose]();
  const [alone, away] = await inTurns(count, [undefined, OWN], create, false);
  return [
    finding("A pod, definition of the controller's", own, none),
    finding("A pod, definition of a person's", theirs, none),
    finding("A pod, webhook away", away, alone),
  ];
}

/** Milliseconds by network; the pods must come out with devices or without, as `isMutated` says. */
async function inTurns(
  count: number,
  networks: readonly (string | undefined)[],
  create: (networks?: string) => Promise<Creation>,
  isMutated: boolean,
): Promise<readonly (readonly number[])[]> {
  const samples: number[][] = networks.map(() => []);
  for (let turn = 0; turn < count; turn++) {
    for (const [at, name] of networks.entries()) {
      const creation = await create(name);
      if (creation.isMutated !== (isMutated && name !== undefined)) {
        throw new Error(`A pod that names "${name}" came out wrong`);
      }
      samples[at]!.push(creation.ms);
    }
  }
  return samples;
}

function finding(
  what: string,
  ours: readonly number[] = [],
  other: readonly number[] = [],
): Finding {
  const worst = (samples: readonly number[]) => `p99 ${quantile(samples, 0.99).toFixed(1)} ms`;
  return {
    ...{ what, unit: "ms", ours: median(ours), note: worst(ours) },
    other: { name: "a pod without networks", value: median(other), note: worst(other) },
    budget: { mostAboveOther: BUDGET },
  };
}

interface Creation {
  readonly ms: number;
  readonly isMutated: boolean;
}

async function createPod(kube: RawKube, networks?: string): Promise<Creation> {
  const annotations = networks === undefined ? {} : { "k8s.v1.cni.cncf.io/networks": networks };
  const started = performance.now();
  const { spec } = await kube.must({
    method: "POST",
    path: `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`,
    body: {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { generateName: "pod-", annotations } },
      spec: { containers: [{ name: "main", image: "x" }] },
    },
  });
  const ms = performance.now() - started;
  return { ms, isMutated: spec.containers[0].resources.limits !== undefined };
}

function makeNetwork(api: FetchKubeApi, name: string): Promise<NetworkAttachmentDefinition> {
  const annotations = { "k8s.v1.cni.cncf.io/resourceName": "macvtap.k8slan.io/pod1" };
  return api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: { name, namespace: NAMESPACE, annotations },
  });
}

/** A controller that has made one network. */
class KnowingFacts extends TestFacts {
  readonly #own: NetworkAttachmentDefinition;

  constructor(api: FetchKubeApi, own: NetworkAttachmentDefinition) {
    super(api);
    this.#own = own;
  }

  override network(key: ObjectKey): NetworkAttachmentDefinition | undefined {
    return keyText(key) === keyText(this.#own.metadata) ? this.#own : undefined;
  }
}
