/** The fake kernel is held to the same table as the real one is in `tests/kernel`. */

import { FakeWorld } from "../../tests/support/fake_world.ts";
import { KERNEL_CONTRACT } from "../../tests/support/kernel_contract.ts";

for (const { name, run } of KERNEL_CONTRACT) {
  Deno.test(`FakeKernel: ${name}`, () => run(new FakeWorld()));
}
