/** One process of `deno test`, its output line by line, and what it counted. */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { countTests, type TestCounts } from "./test_counts.ts";

export interface DenoTestOptions {
  readonly args: readonly string[];
  /** After so many minutes it is ended and has failed. */
  readonly minutes: number;
  /** Told of each line that it writes. */
  readonly say: (line: string) => void;
}

/** Runs `deno test` to its end. Types are not checked: `deno task ok` has done so for all files. */
export async function denoTest({ args, minutes, say }: DenoTestOptions): Promise<TestCounts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--frozen", "--no-check", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => {
    say(`Ended, since it took more than ${minutes} minutes`);
    child.kill("SIGKILL");
  }, minutes * 60_000);
  const lines: string[] = [];
  const reading = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: Readable.from(stream) })) {
      lines.push(line);
      say(line);
    }
  }));
  const { code } = await child.status;
  clearTimeout(timer);
  // A program that a test left behind may hold the pipes open for ever.
  let late: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([reading, new Promise((resolve) => late = setTimeout(resolve, PIPES_MS))]);
  clearTimeout(late);
  return countTests(lines.join("\n"), code);
}

const PIPES_MS = 5_000;
