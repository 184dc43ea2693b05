import assert from "node:assert/strict";
import { closingLine, countTests, sumCounts, type TestCounts } from "./test_counts.ts";

const CASES: readonly (readonly [string, number, TestCounts])[] = [
  ["ok | 1 passed | 0 failed (5ms)\n", 0, { passed: 1, failed: 0, skipped: 0 }],
  [
    "\x1b[31mFAILED\x1b[0m | 2 passed (1 step) | 2 failed | 1 ignored (1 step) \x1b[38;5;245m(12ms)\x1b[0m\n",
    1,
    { passed: 2, failed: 2, skipped: 1 },
  ],
  [
    "FAILED | 2 passed (1 step) | 1 failed (3 steps) | 4 ignored | 5 filtered out (1s)",
    1,
    { passed: 2, failed: 1, skipped: 4 },
  ],
  [
    "ok | 9 passed | 0 failed (printed by a test)\nok | 3 passed | 0 failed (5ms)",
    0,
    { passed: 3, failed: 0, skipped: 0 },
  ],
  ["ok | 3 passed | 0 failed (5ms)", 143, { passed: 3, failed: 1, skipped: 0 }],
  ["error: Module not found", 1, { passed: 0, failed: 1, skipped: 0 }],
];

for (const [output, exitCode, expected] of CASES) {
  Deno.test(`countTests() reads ${JSON.stringify(output)} with exit code ${exitCode}`, () => {
    assert.deepEqual(countTests(output, exitCode), expected);
  });
}

Deno.test("closingLine() of sumCounts() adds up tiers", () => {
  const tiers = [{ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 0, skipped: 1 }];
  assert.equal(closingLine(sumCounts(tiers)), "11 passed, 2 failed, 4 skipped");
});
