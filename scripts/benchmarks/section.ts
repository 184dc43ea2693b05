/** Parts of docs/benchmarks.md that belong to one row each, which runs only when it is named. */

import type { Finding } from "./finding.ts";
import { table } from "./report.ts";

export interface Section {
  /** Its first line. */
  readonly heading: string;
  /** What was measured, on what. */
  readonly about: string;
  /** How. */
  readonly notes: string;
}

/** `former`, in which the section is new; all else is as it was. */
export function withSection(
  former: string,
  { heading, about, notes }: Section,
  conditions: readonly (readonly [string, string])[],
  findings: readonly Finding[],
): string {
  const section = `${heading}

${about}

${conditions.map(([name, value]) => `- ${name}: ${value}`).join("\n")}

${table(findings)}

${notes}`;
  const at = former.indexOf(`${heading}\n`);
  if (at < 0) return `${former.trimEnd()}\n\n${section}`;
  const end = former.indexOf("\n## ", at);
  return `${former.slice(0, at)}${section}${end < 0 ? "" : former.slice(end)}`;
}
