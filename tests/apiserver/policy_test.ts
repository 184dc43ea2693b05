/** The ValidatingAdmissionPolicies, and whether a real API server takes our manifests. */

import assert from "node:assert/strict";
import { ACCOUNTS, DEFAULT_OPTIONS, userName } from "../../scripts/manifests/common.ts";
import { MANAGED_BY_LABEL } from "../../src/api/names.ts";
import { ApiServer } from "../support/api_server.ts";
import { lanWith } from "../support/lan_corpus.ts";
import { applyKinds, applyObject, shippedObjects } from "../support/manifest_install.ts";
import { RawKube, type RawObject } from "../support/raw_kube.ts";
import { until } from "../support/until.ts";

const { namespace } = DEFAULT_OPTIONS;
const NODES = "/apis/lan.k8slan.io/v1beta1/lannodes";
const NETWORKS = "/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions";
const MERGE = "application/merge-patch+json";

let server: ApiServer;
let admin: RawKube;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  admin = new RawKube(server.access());
  await applyKinds(admin, ["Namespace", "CustomResourceDefinition", "ServiceAccount"]);
  await applyKinds(admin, ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]);
  await applyObject(admin, NETWORK_CRD);
  await until(
    "networks are served",
    async () => (await admin.ask({ path: NETWORKS })).status < 300,
  );
  await applyKinds(admin, ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]);
  for (const node of ["worker1", "worker2"]) {
    const body = { apiVersion: "v1", kind: "Node", metadata: { name: node } };
    await admin.must({ method: "POST", path: "/api/v1/nodes", body });
  }
});

Deno.test.afterAll(async () => {
  admin[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** As multus' own, without its schema. */
const NETWORK_CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "network-attachment-definitions.k8s.cni.cncf.io" },
  spec: {
    group: "k8s.cni.cncf.io",
    scope: "Namespaced",
    names: {
      kind: "NetworkAttachmentDefinition",
      plural: "network-attachment-definitions",
      singular: "network-attachment-definition",
    },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    }],
  },
};

/** Holds the token that kubelet would give an agent's pod on that node. */
async function agentOn(node: string): Promise<RawKube> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const pod = await admin.must({
    method: "POST",
    path: pods,
    body: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { generateName: "agent-" },
      spec: {
        nodeName: node,
        serviceAccountName: ACCOUNTS.agent,
        containers: [{ name: "agent", image: DEFAULT_OPTIONS.image }],
      },
    },
  });
  return await withToken({
    boundObjectRef: {
      apiVersion: "v1",
      kind: "Pod",
      name: pod.metadata.name,
      uid: pod.metadata.uid,
    },
  });
}

async function withToken(spec: object): Promise<RawKube> {
  const { status } = await admin.must({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${ACCOUNTS.agent}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec },
  });
  const access = server.access();
  return new RawKube({
    ...access,
    credentials: async () => ({
      caCerts: (await access.credentials()).caCerts,
      authorization: `Bearer ${status.token}`,
    }),
  });
}

function lanNode(name: string) {
  return { apiVersion: "lan.k8slan.io/v1beta1", kind: "LANNode", metadata: { name } };
}

function create(kube: RawKube, name: string) {
  return kube.ask({ method: "POST", path: NODES, body: lanNode(name) });
}

function patchStatus(kube: RawKube, name: string) {
  const body = { status: { version: "0.1.0", attached: 1 } };
  return kube.ask({
    method: "PATCH",
    path: `${NODES}/${name}/status`,
    contentType: MERGE,
    body,
  });
}

/** The policies are read some time after they were written. */
async function untilGuarded(kube: RawKube): Promise<void> {
  await until("the policies are in force", async () => {
    const path = `${NODES}?dryRun=All`;
    const { status } = await kube.ask({ method: "POST", path, body: lanNode("elsewhere") });
    return status === 422 || status === 403;
  }, { timeout: 30_000, interval: 100 });
}

Deno.test("an agent writes the LANNode of its own node, and no other", async () => {
  using agent = await agentOn("worker1");
  await untilGuarded(agent);
  assert.equal((await create(agent, "worker1")).status, 201);
  assert.equal((await patchStatus(agent, "worker1")).status, 200);
  await admin.must({ method: "POST", path: NODES, body: lanNode("worker2") });
  for (const answer of [await create(agent, "worker3"), await patchStatus(agent, "worker2")]) {
    assert.ok([403, 422].includes(answer.status), JSON.stringify(answer));
    assert.match(answer.body.message, /On node "worker1".*only, not "worker[23]"/);
  }
  const renamed = await agent.ask({
    method: "PATCH",
    path: `${NODES}/worker2`,
    contentType: MERGE,
    body: { metadata: { labels: { a: "b" } } },
  });
  assert.ok([403, 422].includes(renamed.status), JSON.stringify(renamed));
  assert.equal((await admin.must({ path: `${NODES}/worker2` })).status, undefined);
});

Deno.test("a token of the agents' account that is bound to no node writes no LANNode", async () => {
  using loose = await withToken({});
  await untilGuarded(loose);
  const { status, body } = await create(loose, "worker4");
  assert.ok([403, 422].includes(status), `${status}`);
  assert.match(body.message, /bound to a pod on a node/);
});

Deno.test("an agent reads all LANNodes", async () => {
  using agent = await agentOn("worker2");
  assert.equal((await agent.ask({ path: NODES })).status, 200);
});

Deno.test("the controller may give any LANNode an owner, and delete it", async () => {
  using controller = asController();
  await admin.must({ method: "POST", path: NODES, body: lanNode("worker5") });
  const path = `${NODES}/worker5`;
  const owner = { apiVersion: "v1", kind: "Node", name: "worker1", uid: "u" };
  const body = { metadata: { ownerReferences: [owner] } };
  assert.equal(
    (await controller.ask({ method: "PATCH", path, contentType: MERGE, body })).status,
    200,
  );
  assert.equal((await controller.ask({ method: "DELETE", path })).status, 200);
});

function asController(): RawKube {
  const user = userName(DEFAULT_OPTIONS, "controller");
  return new RawKube(server.access(), { user, groups: ["system:authenticated"] });
}

function network(name: string, labels?: Record<string, string>): RawObject {
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
    spec: { config: "{}" },
  };
}

const OURS = { [MANAGED_BY_LABEL]: "k8slan" };

Deno.test("the controller writes networks with its label only, before and after", async () => {
  using controller = asController();
  const post = (body: RawObject) => controller.ask({ method: "POST", path: NETWORKS, body });
  await until("the policies are in force", async () => {
    const path = `${NETWORKS}?dryRun=All`;
    return (await controller.ask({ method: "POST", path, body: network("x") })).status >= 400;
  }, { timeout: 30_000, interval: 100 });
  assert.equal((await post(network("ours", OURS))).status, 201);
  for (const labels of [undefined, {}, { [MANAGED_BY_LABEL]: "helm" }]) {
    const { status, body } = await post(network("unlabelled", labels));
    assert.ok([403, 422].includes(status), `${status}`);
    assert.match(body.message, /managed-by=k8slan/);
  }
  await admin.must({ method: "POST", path: NETWORKS, body: network("foreign") });
  const patch = (name: string, body: object) =>
    controller.ask({ method: "PATCH", path: `${NETWORKS}/${name}`, contentType: MERGE, body });
  const refused = [
    await patch("foreign", { spec: { config: "{}{}" } }),
    await patch("foreign", { metadata: { labels: OURS } }),
    await patch("ours", { metadata: { labels: { [MANAGED_BY_LABEL]: null } } }),
    await controller.ask({ method: "DELETE", path: `${NETWORKS}/foreign` }),
  ];
  for (const { status } of refused) assert.ok([403, 422].includes(status), `${status}`);
  assert.equal((await patch("ours", { spec: { config: "[]" } })).status, 200);
  assert.equal((await controller.ask({ method: "DELETE", path: `${NETWORKS}/ours` })).status, 200);
  assert.deepEqual((await admin.must({ path: `${NETWORKS}/foreign` })).spec, { config: "{}" });
});

Deno.test("the controller gives a LAN a finalizer, and leaves its spec as it is", async () => {
  using controller = asController();
  const lans = "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans";
  const spokes = Array.from({ length: 4095 }, (_, at) => `s${at}`);
  const map = Object.fromEntries(
    Array.from({ length: 5000 }, (_, at) => [`node-${at}.of-a.cluster.example.org`, "eth0.1234"]),
  );
  const lan = lanWith({ spokes, vxlanDevMap: map }, { namespace: "default" });
  await admin.must({ method: "POST", path: lans, body: lan });
  const patch = (body: object) =>
    controller.ask({ method: "PATCH", path: `${lans}/lan-test`, contentType: MERGE, body });
  const finalizers = ["lan.k8slan.io/attachments"];
  assert.equal((await patch({ metadata: { finalizers } })).status, 200);
  for (const spec of [{ mtu: 1400 }, { defaultVxlanDev: "eth9" }, { spokes: spokes.slice(1) }]) {
    const { status, body } = await patch({ spec });
    assert.ok([403, 422].includes(status), `${status}`);
    assert.match(body.message, /may not change the spec/);
  }
  assert.equal((await patch({ metadata: { finalizers: null } })).status, 200);
  await admin.must({ method: "DELETE", path: `${lans}/lan-test` });
});

for (const certificate of ["own", "cert-manager"] as const) {
  Deno.test(`the API server takes all of the manifest, strictly (${certificate})`, async () => {
    for (const object of shippedObjects(certificate)) {
      // Kinds of cert-manager, which is not here.
      if (object.apiVersion.startsWith("cert-manager.io/")) continue;
      await applyObject(admin, object, { dryRun: true });
    }
  });
}

Deno.test("the controller's pods pass where pods are restricted", async () => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: "restricted", labels } };
  await admin.must({ method: "POST", path: "/api/v1/namespaces", body });
  for (const [kind, expected] of [["Deployment", 201], ["DaemonSet", 403]] as const) {
    const { template } = shippedObjects().find((object) => object.kind === kind).spec;
    const pod = {
      ...{ apiVersion: "v1", kind: "Pod", ...template },
      metadata: { name: "a", namespace: "restricted" },
    };
    const path = "/api/v1/namespaces/restricted/pods?dryRun=All";
    const { status, body } = await admin.ask({ method: "POST", path, body: pod });
    assert.equal(status, expected, JSON.stringify(body));
  }
});

Deno.test("applying the manifest again leaves the webhook's certificate as it is", async () => {
  const objects = shippedObjects().filter(({ kind }) =>
    kind === "Secret" || kind === "ValidatingWebhookConfiguration"
  );
  const [secret, configuration] = objects;
  const caBundle = btoa(await selfSigned());
  for (const object of objects) await applyObject(admin, object);
  const secretPath = `/api/v1/namespaces/${namespace}/secrets/${secret.metadata.name}`;
  const configurationPath =
    `/apis/${configuration.apiVersion}/validatingwebhookconfigurations/${configuration.metadata.name}`;
  const held = await admin.must({ path: secretPath });
  await admin.must({
    method: "PUT",
    path: secretPath,
    body: { ...held, data: { "tls.crt": "AAAA" } },
  });
  await admin.must({
    method: "PATCH",
    path: configurationPath,
    contentType: "application/json-patch+json",
    body: [{ op: "add", path: "/webhooks/0/clientConfig/caBundle", value: caBundle }],
  });
  for (const object of objects) await applyObject(admin, object);
  assert.deepEqual((await admin.must({ path: secretPath })).data, { "tls.crt": "AAAA" });
  const { webhooks } = await admin.must({ path: configurationPath });
  assert.equal(webhooks[0].clientConfig.caBundle, caBundle);
});

/** An authority of nobody. */
async function selfSigned(): Promise<string> {
  const { stdout } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", "/CN=test", "-keyout", "/dev/null"],
    ],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}
