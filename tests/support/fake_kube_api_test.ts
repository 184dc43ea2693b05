import { FakeKubeApi } from "./fake_kube_api.ts";
import { KUBE_API_CONTRACT } from "./kube_api_contract.ts";

for (const { name, run } of KUBE_API_CONTRACT) {
  Deno.test(`FakeKubeApi: ${name}`, async () => {
    await run({ api: new FakeKubeApi(), namespace: "test" });
  });
}
