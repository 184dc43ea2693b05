import { parse } from "yaml";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { resource } from "../../src/kube/resource.ts";
import { LANS, NAMESPACES } from "../../src/kube/resources.ts";
import { ApiServer } from "../support/api_server.ts";
import { KUBE_API_CONTRACT } from "../support/kube_api_contract.ts";
import { until } from "../support/until.ts";

const CRDS = resource<KubeObject & { readonly spec: unknown }>({
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
});

let server: ApiServer;
let api: FetchKubeApi;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new FetchKubeApi(server.access(), { userAgent: "contract", perSecond: 500, burst: 500 });
  const crd = parse(await Deno.readTextFile(new URL("../../crds/lan.yaml", import.meta.url)));
  await api.create(CRDS, crd);
  await until("LANs are served", async () => (await api.list(LANS)).items.length === 0);
});

Deno.test.afterAll(async () => {
  api[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

for (const [nth, { name, run }] of KUBE_API_CONTRACT.entries()) {
  Deno.test(`FetchKubeApi on a real API server: ${name}`, async () => {
    const namespace = `test-${nth}`;
    await api.create(NAMESPACES, { metadata: { name: namespace } });
    await run({ api, namespace });
  });
}
