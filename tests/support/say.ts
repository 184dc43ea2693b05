/** Figures that are part of what a test is for. */

// deno-lint-ignore-file no-console

/** Prints how long something took: `took`, or else since `started`. */
export function report(what: string, started: number, took = performance.now() - started): void {
  say(`${what}: ${took.toFixed(0)} ms`);
}

export function say(text: string): void {
  console.log(`    ${text}`);
}
