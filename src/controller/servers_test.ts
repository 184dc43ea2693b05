import assert from "node:assert/strict";
import type { KubeApi } from "../kube/kube_api.ts";
import { kubeErrorOf } from "../kube/kube_error.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NETWORK_ATTACHMENT_DEFINITIONS,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from "../kube/resources.ts";
import { TestFacts } from "../../tests/support/controller_facts.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import {
  CONFIGURATION_KEY,
  HASTY,
  LOOPBACK_NAMES,
  makeConfiguration,
  makePodConfiguration,
  makeSecret,
  POD_CONFIGURATION_KEY,
  podReviewOf,
  publishedBundle,
  publishedForPods,
  reviewOf,
  SECRET_KEY,
  storedCertificate,
} from "../../tests/support/webhook_stage.ts";
import { issueAuthority, issueServing } from "./cert_issue.ts";
import { type RunningServers, type ServerTuning, startServers } from "./servers.ts";

class Stage implements AsyncDisposable {
  readonly facts: TestFacts;
  readonly api: KubeApi;
  #servers: RunningServers | undefined;

  constructor(api: KubeApi = new FakeKubeApi()) {
    this.api = api;
    this.facts = new TestFacts(api);
  }

  async start(tuning: ServerTuning = {}): Promise<RunningServers> {
    const loopback = { hostname: "127.0.0.1", names: LOOPBACK_NAMES };
    this.#servers = await startServers(this.facts, { ...loopback, ...tuning });
    return this.#servers;
  }

  async page(path: string, port = this.#servers!.healthPort): Promise<readonly [number, string]> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  }

  async ready(): Promise<void> {
    await until("the servers are ready", async () => (await this.page("/readyz"))[0] === 200);
  }

  /** Whether a LAN may be created, asked over a connection of its own by who trusts `bundle`. */
  async ask(bundle: string, object: unknown = seedLan()): Promise<boolean> {
    using client = Deno.createHttpClient({ caCerts: [bundle], poolMaxIdlePerHost: 0 });
    const answer = await fetch(`https://localhost:${this.#servers!.webhookPort}/validate-lan`, {
      client,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: reviewOf(object),
    });
    return (await answer.json()).response.allowed;
  }

  /** What the webhook for pods answers about a pod that names `networks`. */
  async askForPod(bundle: string, networks: string) {
    using client = Deno.createHttpClient({ caCerts: [bundle], poolMaxIdlePerHost: 0 });
    const answer = await fetch(`https://localhost:${this.#servers!.webhookPort}/mutate-pods`, {
      client,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: podReviewOf({
        metadata: { annotations: { "k8s.v1.cni.cncf.io/networks": networks } },
        spec: { containers: [{ name: "main", resources: {} }] },
      }),
    });
    const { response } = await answer.json();
    return { ...response, patch: JSON.parse(atob(response.patch ?? "bnVsbA==")) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.facts.stop.abort();
    await this.#servers?.[Symbol.asyncDispose]();
  }
}

async function madeStage(): Promise<Stage> {
  const stage = new Stage();
  await makeSecret(stage.api);
  await makeConfiguration(stage.api, "https://localhost/validate-lan");
  return stage;
}

Deno.test("startServers() makes a certificate that the API server is told to trust", async () => {
  await using stage = await madeStage();
  await stage.start();
  await stage.ready();
  const bundle = await publishedBundle(stage.api);
  assert.equal(await stage.ask(bundle), true);
  stage.facts.known = [seedLan({}, "other")].map((lan) => (
    { ...lan, metadata: { ...lan.metadata, name: "other" } }
  ));
  assert.equal(await stage.ask(bundle), true); // the other is not there, as the API server knows
  stage.facts.synced = false;
  assert.equal(await stage.ask(bundle), true);
  assert.deepEqual(await stage.page("/healthz"), [200, "ok\n"]);
});

Deno.test("startServers() makes nothing twice, whatever is told in between", async () => {
  for (const wait of [0, 20, 60, 100, 150]) {
    await using stage = new Stage();
    await makeSecret(stage.api);
    await stage.start();
    // Comes while an authority is made, or published, or signs.
    await new Promise((resolve) => setTimeout(resolve, wait));
    await makeConfiguration(stage.api, "https://localhost/validate-lan");
    await until("it is trusted", async () => await stage.ask(await publishedBundle(stage.api)));
    const steps = stage.facts.log.records.flatMap(({ step }) => step === undefined ? [] : [step]);
    assert.deepEqual(steps.toSorted(), ["make-authority", "make-serving", "publish-bundle"]);
  }
});

Deno.test("startServers() leaves making the certificate to the leader, and then serves it", async () => {
  await using follower = await madeStage();
  follower.facts.leads = false;
  await follower.start();
  const [status, text] = await follower.page("/readyz");
  assert.equal(status, 503);
  assert.match(text, /Secret "k8slan-system\/k8slan-webhook-cert" has no certificate yet/);
  await using leader = new Stage(follower.api);
  await leader.start();
  await leader.ready();
  await follower.ready();
  assert.equal(await follower.ask(await publishedBundle(follower.api)), true);
});

Deno.test("startServers() repairs what others do to Secret and configuration", async () => {
  await using stage = await madeStage();
  await stage.start();
  await stage.ready();
  const { api } = stage;
  const before = await storedCertificate(api);
  const bundle = await publishedBundle(api);
  await api.patch(VALIDATING_WEBHOOK_CONFIGURATIONS, CONFIGURATION_KEY, {
    type: "json",
    steps: [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }],
  });
  await until("the bundle is back", async () => await publishedBundle(api) === bundle);
  assert.equal(await storedCertificate(api), before);
  await api.patch(SECRETS, SECRET_KEY, {
    type: "merge",
    body: { data: { "ca.key": "AAAA", "tls.crt": "AAAA" } },
  });
  await until("another certificate", async () => {
    const now = await storedCertificate(api);
    return now !== undefined && now !== before;
  });
  await stage.ready();
  assert.equal(await stage.ask(await publishedBundle(api)), true);
});

Deno.test("startServers() goes on with what it has when the Secret is deleted", async () => {
  await using stage = await madeStage();
  await stage.start();
  await stage.ready();
  const bundle = await publishedBundle(stage.api);
  await stage.api.delete(SECRETS, SECRET_KEY);
  const isMissing = () => stage.facts.log.messages("warn").some((text) => /is missing/.test(text));
  await until("it is noticed", isMissing);
  assert.equal(await stage.ask(bundle), true);
  assert.equal((await stage.page("/readyz"))[0], 200);
});

Deno.test("startServers() changes certificates and authorities, and no request fails", async () => {
  await using stage = await madeStage();
  await stage.start({ timing: HASTY });
  await stage.ready();
  const certificates = new Set<string>();
  const bundles = new Set<string>();
  const end = performance.now() + 30_000;
  while (certificates.size <= 4 || bundles.size <= 2) {
    assert.ok(performance.now() < end, `${certificates.size} certificates in 30 s`);
    const bundle = await publishedBundle(stage.api);
    assert.equal(await stage.ask(bundle), true);
    bundles.add(bundle);
    certificates.add(await storedCertificate(stage.api) ?? "");
  }
  assert.deepEqual(stage.facts.log.messages("warn"), []);
});

Deno.test("startServers() takes a certificate from a folder, and its successors", async () => {
  await using stage = new Stage();
  using dir = new TempDir();
  stage.facts.options = { ...stage.facts.options, webhookCertificateDir: dir.path };
  let pass = () => {};
  const clock = {
    now: () => performance.now(),
    sleep: (_ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        pass = resolve;
        signal.addEventListener("abort", () => resolve());
      }),
  };
  await stage.start({ clock });
  await until("the empty folder is noticed", async () => {
    const [status, text] = await stage.page("/readyz");
    return status === 503 && /can't be read/.test(text);
  });
  for (let round = 0; round < 2; round++) {
    const term = { notBefore: new Date(Date.now() - 9e6), notAfter: new Date(Date.now() + 9e6) };
    const authority = await issueAuthority("ca", term);
    const { certificate, key } = await issueServing(authority, LOOPBACK_NAMES, term);
    Deno.writeTextFileSync(`${dir.path}/tls.crt`, certificate);
    pass(); // half-written: the key isn't there, or is another one's
    Deno.writeTextFileSync(`${dir.path}/tls.key`, key);
    await until("the new one is served", async () => {
      pass();
      return await stage.ask(authority.certificate);
    });
    await stage.ready();
  }
  const { calls } = stage.api instanceof FakeKubeApi ? stage.api : { calls: ["?"] };
  assert.deepEqual(calls, []);
});

Deno.test("startServers() adds devices to pods, and has API servers trust it for that", async () => {
  await using stage = await madeStage();
  const { api } = stage;
  await api.create(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: {
      ...{ name: "mine", namespace: "default" },
      annotations: { "k8s.v1.cni.cncf.io/resourceName": "macvtap.k8slan.io/pod1" },
    },
  });
  const { metricsPort } = await stage.start();
  await stage.ready();
  await makePodConfiguration(api, "https://localhost/mutate-pods");
  await until("it is trusted", async () => await publishedForPods(api) !== "");
  const bundle = await publishedForPods(api);
  assert.equal(bundle, await publishedBundle(api));
  const amounts = { "macvtap.k8slan.io/pod1": "1" };
  const { allowed, patch } = await stage.askForPod(bundle, "mine");
  assert.equal(allowed, true);
  assert.deepEqual(
    patch,
    ["limits", "requests"].map((field) => (
      { op: "add", path: `/spec/containers/0/resources/${field}`, value: amounts }
    )),
  );
  const refused = await stage.askForPod(bundle, "[{");
  assert.equal(refused.allowed, true);
  assert.match(refused.warnings[0], /is no JSON/);
  const [, text] = await stage.page("/metrics", metricsPort);
  assert.match(text, /^k8slan_pod_webhook_decisions_total\{decision="mutated"\} 1$/m);
  assert.match(text, /^k8slan_pod_webhook_decisions_total\{decision="malformed"\} 1$/m);
  assert.match(text, /^k8slan_pod_webhook_seconds_count 2$/m);

  // What others do to it, and another one of its name.
  await api.patch(MUTATING_WEBHOOK_CONFIGURATIONS, POD_CONFIGURATION_KEY, {
    type: "json",
    steps: [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }],
  });
  await until("the bundle is back", async () => await publishedForPods(api) === bundle);
  await api.delete(MUTATING_WEBHOOK_CONFIGURATIONS, POD_CONFIGURATION_KEY);
  await makePodConfiguration(api, "https://localhost/mutate-pods");
  await until("the new one has it too", async () => await publishedForPods(api) === bundle);
});

Deno.test("startServers() keeps quiet about a webhook for pods that it may not see", async () => {
  await using stage = await madeStage();
  const { api } = stage;
  assert.ok(api instanceof FakeKubeApi);
  api.onCall = (verb, { plural }) => {
    if (plural !== "mutatingwebhookconfigurations") return;
    throw kubeErrorOf(`${verb} ${plural}`, 403, undefined);
  };
  await stage.start({ timing: HASTY });
  await stage.ready();
  const first = await storedCertificate(api);
  await until("the certificate is renewed all the same", async () => {
    return await storedCertificate(api) !== first;
  });
  assert.deepEqual(stage.facts.log.messages("warn"), []);
  assert.equal((await stage.page("/readyz"))[0], 200);
});

Deno.test("startServers() renews its certificate though it may not tell of it for pods", async () => {
  await using stage = await madeStage();
  const { api } = stage;
  assert.ok(api instanceof FakeKubeApi);
  await makePodConfiguration(api, "https://localhost/mutate-pods");
  api.onCall = (verb, { plural }) => {
    if (verb !== "patch" || plural !== "mutatingwebhookconfigurations") return;
    throw kubeErrorOf(`${verb} ${plural}`, 403, undefined);
  };
  await stage.start({ timing: HASTY });
  await stage.ready();
  const first = await storedCertificate(api);
  await until("the certificate is renewed all the same", async () => {
    return await storedCertificate(api) !== first;
  }, { timeout: 30_000 });
  assert.equal(await stage.ask(await publishedBundle(api)), true);
});

Deno.test("startServers() shows figures for Prometheus", async () => {
  await using stage = await madeStage();
  const { metricsPort } = await stage.start();
  await stage.ready();
  await stage.ask(await publishedBundle(stage.api));
  const [status, text] = await stage.page("/metrics", metricsPort);
  assert.equal(status, 200);
  const expected = [
    /^k8slan_leader 1$/m,
    /^k8slan_synced 1$/m,
    /^k8slan_reconciles_total 7$/m,
    /^k8slan_lans\{condition="Ready",status="False"\} 0$/m,
    /^k8slan_webhook_decisions_total\{decision="allowed"\} 1$/m,
    /^k8slan_webhook_decisions_total\{decision="conflict"\} 0$/m,
    /^k8slan_webhook_seconds_count 1$/m,
    /^k8slan_webhook_certificate_days_left 89\.\d+$/m,
    /^k8slan_webhook_authority_days_left 364\.\d+$/m,
    /^process_resident_memory_bytes \d+$/m,
    /^process_cpu_seconds_total \d/m,
    /^k8slan_build_info\{version="\d/m,
  ];
  for (const line of expected) assert.match(text, line);
  assert.equal(
    (await stage.page("/metrics", metricsPort))[1].match(/^k8slan_reconciles_total 7$/m)?.length,
    1,
  );
  assert.equal((await stage.page("/secret", metricsPort))[0], 404);
});

Deno.test("startServers() rejects when a port is taken, and holds none then", async () => {
  await using stage = await madeStage();
  const { webhookPort } = await stage.start();
  await using other = new Stage(stage.api);
  other.facts.options = { ...other.facts.options, metricsPort: webhookPort };
  await assert.rejects(other.start(), Deno.errors.AddrInUse);
  other.facts.options = { ...other.facts.options, webhookPort, metricsPort: 0 };
  await assert.rejects(other.start(), { code: "EADDRINUSE" });
});
