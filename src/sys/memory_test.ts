import { trimMemory } from "./memory.ts";

Deno.test("trimMemory() can be called at any time", () => {
  for (let round = 0; round < 2; round++) trimMemory();
});
