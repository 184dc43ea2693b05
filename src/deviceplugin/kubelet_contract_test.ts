/** The fake kubelet is held to the same table as the real one is in `tests/cluster`. */

import { FakeKubelet } from "../../tests/support/fake_kubelet.ts";
import { KUBELET_CONTRACT } from "../../tests/support/kubelet_contract.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";

for (const { name, run } of KUBELET_CONTRACT) {
  Deno.test(`FakeKubelet ${name}`, async () => {
    using dir = new TempDir();
    using kubelet = new FakeKubelet(dir.path);
    kubelet.start();
    await run({
      folder: kubelet.folder,
      podResourcesSocket: kubelet.podResourcesSocket,
      restart: () => Promise.resolve(kubelet.restart()),
      count: (resource) => Promise.resolve(kubelet.count(resource)),
    });
  });
}
