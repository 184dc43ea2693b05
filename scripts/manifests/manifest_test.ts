import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { WEBHOOK_SECRET } from "../../src/controller/servers.ts";
import { IMAGE_NAME } from "../image_layout.ts";
import { DEFAULT_OPTIONS, WEBHOOK_SECRET as SHIPPED_SECRET } from "./common.ts";
import {
  MANIFEST_FILES,
  manifestObjects,
  podWebhookObjects,
  renderManifest,
  renderPodWebhook,
} from "./manifest.ts";

const ROOT = new URL("../../", import.meta.url);

for (const [name, render] of MANIFEST_FILES) {
  Deno.test(`MANIFEST_FILES gives what is stored in ${name}`, async () => {
    assert.equal(await Deno.readTextFile(new URL(name, ROOT)), render());
  });
}

for (const certificate of ["own", "cert-manager"] as const) {
  Deno.test(`renderManifest() makes YAML of all objects (${certificate})`, () => {
    const documents = parseAllDocuments(renderManifest(DEFAULT_OPTIONS, certificate));
    const objects = manifestObjects(DEFAULT_OPTIONS, certificate);
    assert.deepEqual(
      documents.map((document) => document.toJS()),
      JSON.parse(JSON.stringify(objects)),
    );
  });
}

for (const certificate of ["own", "cert-manager"] as const) {
  Deno.test(`renderPodWebhook() makes YAML of all objects (${certificate})`, () => {
    const options = { ...DEFAULT_OPTIONS, namespace: "elsewhere" };
    const text = renderPodWebhook(options, certificate);
    const objects = podWebhookObjects(options, certificate);
    assert.deepEqual(
      parseAllDocuments(text).map((document) => document.toJS()),
      JSON.parse(JSON.stringify(objects)),
    );
    assert.ok(!text.includes(DEFAULT_OPTIONS.namespace));
    const kinds = objects.map((object) => Reflect.get(object, "kind"));
    const roles = certificate === "own" ? ["ClusterRole", "ClusterRoleBinding"] : [];
    assert.deepEqual(kinds, [...roles, "MutatingWebhookConfiguration"]);
  });
}

Deno.test("podWebhookObjects() holds nobody up", () => {
  const [configuration] = podWebhookObjects(DEFAULT_OPTIONS, "cert-manager");
  const [webhook, ...more] = Reflect.get(Object(configuration), "webhooks");
  assert.deepEqual(more, []);
  assert.equal(webhook.failurePolicy, "Ignore");
  assert.ok(webhook.timeoutSeconds <= 2);
  assert.deepEqual(webhook.rules[0].operations, ["CREATE"]);
  assert.deepEqual(webhook.namespaceSelector.matchExpressions[0].values, [
    "kube-system",
    "k8slan-system",
  ]);
});

Deno.test("manifestObjects() puts no two objects of one kind under one name", () => {
  for (const certificate of ["own", "cert-manager"] as const) {
    const names = manifestObjects(DEFAULT_OPTIONS, certificate).map(({ kind, metadata }: {
      kind?: string;
      metadata?: { name?: string };
    }) => `${kind} ${metadata?.name}`);
    assert.equal(new Set(names).size, names.length, names.join(", "));
  }
});

Deno.test("renderManifest() takes another namespace and image all over", () => {
  for (const certificate of ["own", "cert-manager"] as const) {
    const options = { namespace: "elsewhere", image: "registry.example/lan:dev" };
    const text = renderManifest(options, certificate);
    assert.ok(!text.includes(DEFAULT_OPTIONS.namespace));
    assert.ok(!text.includes(DEFAULT_OPTIONS.image));
    assert.equal(text.match(/image: registry\.example\/lan:dev\n/g)?.length, 2);
  }
});

Deno.test("DEFAULT_OPTIONS and names are those of the image and of the controller", () => {
  assert.equal(DEFAULT_OPTIONS.image, IMAGE_NAME);
  assert.equal(SHIPPED_SECRET, WEBHOOK_SECRET);
});
