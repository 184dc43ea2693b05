import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { NAMESPACES } from "../../src/kube/resources.ts";
import { ApiServer } from "../support/api_server.ts";
import { KUBE_API_CONTRACT } from "../support/kube_api_contract.ts";
import { installLanCrd } from "../support/lan_crd.ts";

let server: ApiServer;
let api: FetchKubeApi;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new FetchKubeApi(server.access(), { userAgent: "contract", perSecond: 500, burst: 500 });
  await installLanCrd(api);
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
