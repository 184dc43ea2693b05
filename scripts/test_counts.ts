/** Counting test results from what `deno test` prints. */

/** How many tests ended how. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

// The closing line: "FAILED | 2 passed (1 step) | 1 failed | 3 ignored (42ms)". It also counts
// what the JUnit report leaves out: modules that failed to load.
const CLOSING_LINE = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*?\| (\d+) ignored)?/;

// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;

/**
 * The counts in the last closing line of `output`. A run that ended with an exit code other than 0
 * but counted no failure, as one does whose modules cannot be resolved, has failed once.
 */
export function countTests(output: string, exitCode: number): TestCounts {
  const match = output.replaceAll(COLOUR, "").split("\n")
    .map((line) => CLOSING_LINE.exec(line)).findLast((found) => found !== null);
  const failed = Number(match?.[2] ?? 0);
  return {
    passed: Number(match?.[1] ?? 0),
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: Number(match?.[3] ?? 0),
  };
}

/** The sum of all `counts`. */
export function sumCounts(counts: readonly TestCounts[]): TestCounts {
  return counts.reduce((sum, each) => ({
    passed: sum.passed + each.passed,
    failed: sum.failed + each.failed,
    skipped: sum.skipped + each.skipped,
  }), { passed: 0, failed: 0, skipped: 0 });
}

/** The line that closes a run, for example "12 passed, 0 failed, 1 skipped". */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
