/** What a real API server allows our roles: exactly the list in deploy/rbac.txt. */

import assert from "node:assert/strict";
import {
  ACCOUNTS,
  type Component,
  DEFAULT_OPTIONS,
  userName,
} from "../../scripts/manifests/common.ts";
import { permissionLines } from "../../scripts/manifests/rbac_text.ts";
import { podWebhookObjects } from "../../scripts/manifests/manifest.ts";
import { POD_WEBHOOK_ROLE, roleSpecs } from "../../scripts/manifests/roles.ts";
import { ApiServer } from "../support/api_server.ts";
import { applyKinds, applyObject, objectPath } from "../support/manifest_install.ts";
import { type Impersonated, RawKube, type RawObject } from "../support/raw_kube.ts";
import { until } from "../support/until.ts";

const { namespace } = DEFAULT_OPTIONS;
const SPECS = roleSpecs({ ownCertificate: true });

let server: ApiServer;
let admin: RawKube;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  admin = new RawKube(server.access());
  await applyKinds(admin, ["Namespace", "ServiceAccount", "Role", "ClusterRole"]);
  await applyKinds(admin, ["RoleBinding", "ClusterRoleBinding"]);
});

Deno.test.afterAll(async () => {
  admin[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

function serviceAccount(component: Component): Impersonated {
  return member(userName(DEFAULT_OPTIONS, component));
}

function member(user: string): Impersonated {
  return { user, groups: ["system:authenticated"] };
}

/** What `kubectl auth can-i --list` shows of someone, beyond what anyone may. */
async function permissions(who: Impersonated, within: string): Promise<string[]> {
  const own = await rules(who, within);
  const anyone = await rules(member("anyone"), within);
  return own.filter((line) => !anyone.includes(line));
}

async function rules(who: Impersonated, within: string): Promise<string[]> {
  using kube = new RawKube(server.access(), who);
  const { status } = await kube.must({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace: within },
    },
  });
  assert.equal(status.incomplete, false);
  const resources = status.resourceRules.flatMap((rule: RawObject) =>
    rule.apiGroups.map((group: string) => ({
      group,
      resources: rule.resources,
      verbs: rule.verbs,
      ...(rule.resourceNames === undefined ? {} : { names: rule.resourceNames }),
    }))
  );
  const urls = status.nonResourceRules.map((rule: RawObject) => ({
    group: "",
    resources: rule.nonResourceURLs,
    verbs: rule.verbs,
  }));
  return permissionLines([...resources, ...urls]);
}

/** What the roles for a ServiceAccount come to. */
function listed(component: Component, scopes: readonly string[]): string[] {
  return permissionLines(
    SPECS.filter(({ account, scope }) => account === ACCOUNTS[component] && scopes.includes(scope))
      .flatMap((spec) => spec.rules),
  );
}

/** Waits until somebody may do exactly this. */
async function mayDo(who: Impersonated, within: string, wanted: readonly string[]): Promise<void> {
  await until(`the permissions of "${who.user}" are in force`, async () => {
    assert.deepEqual(await permissions(who, within), wanted);
    return true;
  });
}

for (const component of ["agent", "controller"] as const) {
  Deno.test(`the ${component} may do what deploy/rbac.txt lists, and nothing else`, async () => {
    const who = serviceAccount(component);
    // API servers hear of roles and of bindings one by one.
    await mayDo(who, namespace, listed(component, ["cluster", "namespace"]));
    await mayDo(who, "default", listed(component, ["cluster"]));
  });
}

Deno.test("with the webhook for pods the controller may keep its one object, and no more", async () => {
  const objects: RawObject[] = podWebhookObjects(DEFAULT_OPTIONS, "own");
  const roles = objects.filter(({ kind }) => /^ClusterRole/.test(kind));
  const who = serviceAccount("controller");
  const before = await permissions(who, "default");
  const [line] = permissionLines(POD_WEBHOOK_ROLE.rules);
  assert.ok(line !== undefined && !before.includes(line));
  try {
    for (const object of roles) await applyObject(admin, JSON.parse(JSON.stringify(object)));
    await until(
      "the role is in force",
      async () => (await permissions(who, "default")).includes(line),
    );
    assert.deepEqual(await permissions(who, "default"), [...before, line].sort());
    using kube = new RawKube(server.access(), who);
    const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    const one = `${path}?fieldSelector=metadata.name%3Dk8slan-pod-webhook`;
    assert.equal((await kube.ask({ path: one })).status, 200);
    assert.equal((await kube.ask({ path })).status, 403);
    assert.equal((await kube.ask({ path: `${path}/another` })).status, 403);
  } finally {
    for (const object of roles) {
      await admin.must({ method: "DELETE", path: objectPath(object) });
    }
  }
});

Deno.test("no role of ours has a wildcard", () => {
  for (const { name, rules } of [...SPECS, POD_WEBHOOK_ROLE]) {
    assert.ok(!JSON.stringify(rules.map(({ why: _, ...rule }) => rule)).includes('"*'), name);
  }
});

for (const name of ["k8slan-viewer", "k8slan-admin"]) {
  Deno.test(`whoever is bound to ${name} may do what deploy/rbac.txt lists`, async () => {
    await bind(name, `user-of-${name}`);
    const who = member(`user-of-${name}`);
    const spec = SPECS.find((spec) => spec.name === name);
    assert.ok(spec !== undefined);
    await mayDo(who, "default", permissionLines(spec.rules));
  });
}

async function bind(role: string, user: string): Promise<void> {
  await admin.must({
    method: "POST",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    body: {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: user },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "User", name: user }],
    },
  });
}

const REFUSED: readonly (readonly [Component, method: "GET" | "POST" | "DELETE", path: string])[] =
  [
    ["agent", "GET", "/api/v1/pods"],
    ["agent", "GET", "/api/v1/nodes/worker1"],
    ["agent", "GET", `/api/v1/namespaces/${namespace}/secrets/k8slan-webhook-cert`],
    ["agent", "DELETE", "/apis/lan.k8slan.io/v1beta1/lannodes/worker1"],
    ["agent", "DELETE", "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans/a"],
    ["controller", "GET", `/api/v1/namespaces/${namespace}/secrets`],
    ["controller", "GET", `/api/v1/namespaces/${namespace}/secrets/another`],
    ["controller", "GET", "/api/v1/namespaces/kube-system/secrets/k8slan-webhook-cert"],
    ["controller", "POST", `/api/v1/namespaces/${namespace}/secrets`],
    ["controller", "DELETE", "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans/a"],
    [
      "controller",
      "GET",
      "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/another",
    ],
    ["controller", "GET", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"],
  ];

for (const [component, method, path] of REFUSED) {
  Deno.test(`the ${component} is refused ${method} ${path}`, async () => {
    using kube = new RawKube(server.access(), serviceAccount(component));
    const { status } = await kube.ask({ method, path, ...(method === "POST" ? { body: {} } : {}) });
    assert.equal(status, 403);
  });
}

const ONE_BY_NAME = [
  `/api/v1/namespaces/${namespace}/secrets?fieldSelector=metadata.name%3Dk8slan-webhook-cert`,
  "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations" +
  "?fieldSelector=metadata.name%3Dk8slan-webhook",
];

for (const path of ONE_BY_NAME) {
  Deno.test(`the controller may follow the one object of GET ${path}`, async () => {
    using kube = new RawKube(server.access(), serviceAccount("controller"));
    assert.equal((await kube.ask({ path })).status, 200);
  });
}
