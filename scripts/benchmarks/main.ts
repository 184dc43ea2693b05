/** Runs rows of measurements and reports them; started by scripts/bench. */

// deno-lint-ignore-file no-console

import { parseArgs } from "node:util";
import { describe } from "../../src/base/errors.ts";
import { attachRow } from "./attach_row.ts";
import { Bench, ROOT } from "./bench.ts";
import { CLUSTER_SECTION } from "./cluster_report.ts";
import { clusterRow } from "./cluster_row.ts";
import { cniRow } from "./cni_row.ts";
import type { Finding } from "./finding.ts";
import { lanRow } from "./lan_row.ts";
import { loadAverage, machine } from "./machine.ts";
import { memoryRow } from "./memory_row.ts";
import { MIGRATION_SECTION, migrationRow } from "./migration_row.ts";
import { PODS_SECTION, podsRow } from "./pods_row.ts";
import { PROBES_SECTION, probesRow } from "./probes_row.ts";
import { PROTECT_SECTION, protectRow } from "./protect_row.ts";
import { document, table } from "./report.ts";
import { scaleRow } from "./scale_row.ts";
import { type Section, withSection } from "./section.ts";
import { throughputRow } from "./throughput_row.ts";
import { UNICAST_SECTION, unicastRow } from "./unicast_row.ts";

type Row = (bench: Bench) => Promise<readonly Finding[]>;

const ROWS: Readonly<Record<string, Row>> = {
  lan: lanRow,
  attach: attachRow,
  cni: cniRow,
  memory: memoryRow,
  throughput: throughputRow,
  scale: scaleRow,
};

/** With a section of their own: they run only when they are named. */
const NAMED: Readonly<Record<string, { readonly row: Row; readonly section: Section }>> = {
  cluster: { row: clusterRow, section: CLUSTER_SECTION },
  migration: { row: migrationRow, section: MIGRATION_SECTION },
  pods: { row: podsRow, section: PODS_SECTION },
  probes: { row: probesRow, section: PROBES_SECTION },
  protect: { row: protectRow, section: PROTECT_SECTION },
  unicast: { row: unicastRow, section: UNICAST_SECTION },
};
const ALL: Readonly<Record<string, Row>> = {
  ...ROWS,
  ...Object.fromEntries(Object.entries(NAMED).map(([name, { row }]) => [name, row])),
};

const DOCUMENT = `${ROOT}docs/benchmarks.md`;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
  });
  const unknown = positionals.find((name) => !Object.hasOwn(ALL, name));
  if (unknown !== undefined) {
    console.error(`Unknown row "${unknown}"; the rows are: ${Object.keys(ALL).join(", ")}`);
    return 2;
  }
  if (Deno.uid() !== 0) {
    console.error("bench: it makes network namespaces, which needs root");
    return 1;
  }
  const bench = new Bench({ quick: values.quick });
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, () => bench.abandon().finally(() => Deno.exit(130)));
  }

  const before = await machine();
  const byRow: Record<string, readonly Finding[]> = {};
  for (const [name, measure] of Object.entries(positionals.length === 0 ? ROWS : ALL)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    bench.note(`row "${name}" …`);
    byRow[name] = await measure(bench);
  }
  const findings = Object.values(byRow).flat();
  const conditions = [...before, ["load average after", loadAverage()]] as const;

  console.log(conditions.map(([name, value]) => `${name}: ${value}`).join("\n"));
  console.log(`\n${table(findings)}`);
  if (values.json !== undefined) await Deno.writeTextFile(values.json, JSON.stringify(findings));
  // A part of the rows, or figures made in haste, are not what the document promises.
  if (values.quick) return 0;
  const former = await Deno.readTextFile(DOCUMENT).catch(() => "");
  let text = positionals.length === 0 ? document(conditions, findings, former) : former;
  for (const [name, { section }] of Object.entries(NAMED)) {
    const own = byRow[name];
    if (own !== undefined) text = withSection(text, section, conditions, own);
  }
  if (text === former) return 0;
  await Deno.writeTextFile(DOCUMENT, text);
  bench.note(`wrote ${DOCUMENT}`);
  return 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  console.error(`bench: ${describe(error)}`);
  if (error instanceof Error) console.error(error.stack);
  Deno.exit(1);
}
