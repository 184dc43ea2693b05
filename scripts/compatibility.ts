/** Measures what a LAN carries on this machine, and writes docs/compatibility.md. */

import { deviations, expectedOf } from "../tests/support/compatibility/expectations.ts";
import { measureAll } from "../tests/support/compatibility/measure.ts";
import { CompatibilityStage } from "../tests/support/compatibility/stage.ts";
import { renderCompatibility } from "./compatibility_document.ts";

const FILE = new URL("../docs/compatibility.md", import.meta.url);

async function main(): Promise<number> {
  await using stage = await CompatibilityStage.prepare();
  const outcomeOf = await measureAll(stage, expectedOf);
  const text = renderCompatibility(outcomeOf);
  const surprises = deviations(outcomeOf);
  if (surprises.length === 0) {
    await Deno.writeTextFile(FILE, text);
    await say(`${text}\nEverything is as tests/support/compatibility/expectations.ts says.\n`);
    return 0;
  }
  await say(`${text}\nOtherwise than tests/support/compatibility/expectations.ts says:\n`);
  for (const surprise of surprises) await say(`- ${surprise}\n`);
  return 1;
}

async function say(text: string): Promise<void> {
  const writer = Deno.stdout.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}

if (import.meta.main) Deno.exit(await main());
