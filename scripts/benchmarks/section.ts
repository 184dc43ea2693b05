/** Parts of docs/benchmarks.md that rows write which run only when they are named. */

import type { Finding } from "./finding.ts";
import { table } from "./report.ts";

export interface Section {
  /** Without the "## ". */
  readonly heading: string;
  /** What was measured, on what. */
  readonly intro: string;
  /** How, as a list. */
  readonly notes: string;
}

/** `former`, in which the section is new; all else is as it was. */
export function withSection(
  former: string,
  { heading, intro, notes }: Section,
  conditions: readonly (readonly [string, string])[],
  findings: readonly Finding[],
): string {
  const title = `## ${heading}`;
  const text = `${title}

${intro}

${conditions.map(([name, value]) => `- ${name}: ${value}`).join("\n")}

${table(findings)}

How:

${notes}`;
  const at = former.indexOf(`${title}\n`);
  if (at < 0) return `${former.trimEnd()}\n\n${text}`;
  const end = former.indexOf("\n## ", at);
  return `${former.slice(0, at)}${text}${end < 0 ? "" : former.slice(end)}`;
}
