import assert from "node:assert/strict";
import { validateLan } from "../../src/api/lan.ts";
import { type RunningServers, startServers } from "../../src/controller/servers.ts";
import { isInvalid, isNotFound, KubeError } from "../../src/kube/kube_error.ts";
import {
  type LanObject,
  LANS,
  NAMESPACES,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from "../../src/kube/resources.ts";
import { Store } from "../../src/kube/store.ts";
import { watchResource } from "../../src/kube/watcher.ts";
import { ApiServer } from "../support/api_server.ts";
import { TestFacts } from "../support/controller_facts.ts";
import { installLanCrd } from "../support/lan_crd.ts";
import { seedLan } from "../support/lan_fixture.ts";
import { until } from "../support/until.ts";
import {
  CONFIGURATION_KEY,
  LESS_HASTY,
  LOOPBACK_NAMES,
  makeConfiguration,
  makeSecret,
  PatientKubeApi,
  publishedBundle,
  storedCertificate,
} from "../support/webhook_stage.ts";

let server: ApiServer;
let api: PatientKubeApi;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new PatientKubeApi(server.access(), { userAgent: "test", perSecond: 500, burst: 500 });
  await installLanCrd(api);
  await api.create(NAMESPACES, { metadata: { name: "k8slan-system" } });
  await makeSecret(api);
});

Deno.test.afterAll(async () => {
  api[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** What the controller knows of LANs, and nothing else of it. */
class WatchingFacts extends TestFacts {
  readonly #store = new Store<LanObject>();
  readonly #watching: Promise<void>;

  constructor() {
    super(api);
    this.#watching = (async () => {
      for await (const event of watchResource(api, LANS, { signal: this.signal })) {
        this.#store.apply(event);
      }
    })();
  }

  override isSynced(): boolean {
    return this.#store.isSynced;
  }

  override lans() {
    return this.#store.values().flatMap((object) => {
      const validation = validateLan(object);
      return "lan" in validation ? [validation.lan] : [];
    });
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.#watching;
  }
}

/** A webhook that the API server asks, as long as it isn't disposed of; LANs go with it. */
class Webhook implements AsyncDisposable {
  readonly #facts: WatchingFacts;
  readonly #servers: RunningServers;

  private constructor(facts: WatchingFacts, servers: RunningServers) {
    this.#facts = facts;
    this.#servers = servers;
  }

  static async start(failurePolicy: "Fail" | "Ignore" = "Ignore"): Promise<Webhook> {
    const facts = new WatchingFacts();
    const tuning = { hostname: "127.0.0.1", names: LOOPBACK_NAMES, timing: LESS_HASTY };
    const servers = await startServers(facts, tuning);
    const webhook = new Webhook(facts, servers);
    const url = `https://127.0.0.1:${servers.webhookPort}/validate-lan`;
    await makeConfiguration(api, url, failurePolicy);
    await until("the webhook is ready", async () => {
      return await page(servers.healthPort, "/readyz") === "ok\n";
    });
    // API servers hear of a configuration some time after it is written.
    await until("the API server asks the webhook", async () => {
      await makeLan("probe", 9_999);
      await deleteLan("probe");
      return await webhook.decided("allowed") > 0;
    });
    return webhook;
  }

  /** Waits until the webhook has heard of a LAN, which it does by a watch. */
  async knows(lan: string): Promise<void> {
    await until(`the webhook knows "${lan}"`, () => {
      return this.#facts.lans().some(({ metadata }) => metadata.name === lan);
    });
  }

  /** How often the webhook has come to a decision of that kind. */
  async decided(kind: string): Promise<number> {
    const text = await page(this.#servers.metricsPort, "/metrics");
    const line = new RegExp(`^k8slan_webhook_decisions_total\\{decision="${kind}"\\} (\\d+)$`, "m");
    return Number(line.exec(text)?.[1]);
  }

  async kill(): Promise<void> {
    await this.#facts.end();
    await this.#servers[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await api.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, CONFIGURATION_KEY);
    for (const { metadata } of (await api.list(LANS)).items) await deleteLan(metadata.name);
    await this.kill();
  }
}

async function page(port: number, path: string): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

/** Makes a LAN "default/<name>" that shares nothing with others but what `spec` says. */
async function makeLan(name: string, vni: number, spec: object = {}): Promise<LanObject> {
  return await api.create(LANS, {
    metadata: { name, namespace: "default" },
    spec: { ...seedLan().spec, ns: name, vni, spokes: [`${name}-1`, `${name}-2`], ...spec },
  });
}

async function deleteLan(name: string): Promise<void> {
  assert.ok(await api.delete(LANS, { name, namespace: "default" }), name);
}

Deno.test("the webhook refuses a LAN that takes what another one has", async () => {
  await using webhook = await Webhook.start();
  await makeLan("a", 1);
  await webhook.knows("a");
  await assert.rejects(makeLan("b", 1), (error) => {
    assert.ok(isInvalid(error));
    assert.match(
      String(error),
      /spec\.vni vni "1" belongs to LAN "default\/a", which had it first/,
    );
    const causes = error instanceof KubeError ? error.details.causes : [];
    assert.deepEqual(causes.map(({ field, reason }) => [field, reason]), [
      ["spec.vni", "FieldValueDuplicate"],
    ]);
    return true;
  });
  await makeLan("b", 2);
  await webhook.knows("b");
  const takeSpoke = api.patch(LANS, { name: "a", namespace: "default" }, {
    type: "merge",
    body: { spec: { spokes: ["a-1", "b-2"] } },
  });
  await assert.rejects(takeSpoke, /spoke "b-2" belongs to LAN "default\/b"/);
});

Deno.test("the webhook is asked of specs alone", async () => {
  await using webhook = await Webhook.start();
  await makeLan("a", 1);
  const key = { name: "a", namespace: "default" };
  const [allowed, skipped] = [await webhook.decided("allowed"), await webhook.decided("skipped")];
  const merge = (body: object) => ({ type: "merge", body }) as const;
  await api.patch(LANS, key, merge({ status: { spokes: 2 } }), { subresource: "status" });
  await api.patch(LANS, key, merge({ metadata: { labels: { x: "y" } } }));
  await api.patch(LANS, key, merge({ metadata: { finalizers: ["lan.k8slan.io/attachments"] } }));
  await deleteLan("a");
  await api.patch(LANS, key, merge({ metadata: { finalizers: null } }));
  assert.equal(await api.get(LANS, key), undefined);
  assert.deepEqual([await webhook.decided("allowed"), await webhook.decided("skipped")], [
    allowed,
    skipped,
  ]);
});

Deno.test("the webhook lets a LAN be deleted and made anew at once", async () => {
  await using webhook = await Webhook.start();
  await makeLan("again", 7);
  for (let round = 0; round < 20; round++) {
    await deleteLan("again");
    await makeLan(round % 2 === 0 ? "again2" : "again", 7);
    if (round % 2 === 0) {
      await deleteLan("again2");
      await makeLan("again", 7);
    }
  }
  assert.equal(await webhook.decided("conflict"), 0);
});

Deno.test("the webhook takes a LAN of 4095 spokes", async () => {
  await using webhook = await Webhook.start();
  const spokes = Array.from({ length: 4_095 }, (_, at) => `long-name-${at}`.slice(-13));
  const before = await webhook.decided("allowed");
  await makeLan("big", 4_095, { spokes });
  await api.patch(LANS, { name: "big", namespace: "default" }, {
    type: "merge",
    body: { spec: { spokes: spokes.slice(1) } },
  });
  assert.equal(await webhook.decided("allowed"), before + 2);
  await webhook.knows("big");
  await assert.rejects(makeLan("thief", 4_096, { spokes: [spokes[4_094]] }), /spec\.spokes\[0\]/);
});

Deno.test("the webhook fails no request while its certificates change", async () => {
  // By "Ignore" a failure would go unnoticed.
  await using webhook = await Webhook.start("Fail");
  const certificates = new Set<string>();
  const bundles = new Set<string>();
  const before = await webhook.decided("allowed");
  let made = 0;
  const end = performance.now() + 180_000;
  while (certificates.size <= 6 || bundles.size <= 4 || made < 100) {
    assert.ok(performance.now() < end, `${certificates.size} certificates and ${made} LANs`);
    await makeLan("changing", 50);
    await deleteLan("changing");
    made++;
    certificates.add(await storedCertificate(api) ?? "");
    bundles.add(await publishedBundle(api));
  }
  assert.equal(await webhook.decided("allowed"), before + made);
});

Deno.test("without the webhook the schema guards the shape, and nobody is held up", async () => {
  await using webhook = await Webhook.start();
  await makeLan("b", 59);
  await webhook.kill();
  await assert.rejects(makeLan("bad", 0), isInvalid);
  await assert.rejects(makeLan("bad", 60, { spokes: ["UPPER"] }), isInvalid);
  await makeLan("good", 60);
  await makeLan("clashing", 60); // for the controller to refuse
  const started = performance.now();
  for (const name of ["good", "clashing", "b"]) await deleteLan(name);
  // Less than one wait for the webhook.
  assert.ok(performance.now() - started < 9_000);
  await assert.rejects(
    api.patch(LANS, { name: "good", namespace: "default" }, { type: "merge", body: {} }),
    isNotFound,
  );
});
