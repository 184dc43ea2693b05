/** Findings as a table, for the terminal and for docs/benchmarks.md alike. */

import { type Budget, type Finding, isMet, ratioOf, type Unit } from "./finding.ts";

const HEAD = ["what", "ours", "compared with", "ratio", "budget", "met?"];

/** Heading of the part of docs/benchmarks.md that people write: it outlives a new run. */
const BY_HAND = "## What falls short";

/** The whole of docs/benchmarks.md, with what people have added to `former`. */
export function document(
  conditions: readonly (readonly [string, string])[],
  findings: readonly Finding[],
  former: string,
): string {
  const at = former.indexOf(BY_HAND);
  return `# Benchmarks

Written by \`scripts/bench\`, which measures everything in one run, ours and what it is compared with
in turns. Figures are medians; they mean something beside each other, not beside those of another
machine.

${conditions.map(([name, value]) => `- ${name}: ${value}`).join("\n")}

${table(findings)}

${NOTES}${at < 0 ? "" : `\n${former.slice(at)}`}`;
}

const NOTES = `How:

- **One LAN**: a network namespace with bridge and VXLAN, four veth pairs, four macvtaps in four
  workloads. Our \`diff\` and \`LinuxKernel.apply\` in a process that has done it before; a Go program
  with github.com/vishvananda/netlink (\`scripts/benchmarks/lan_go\`), sockets open, indexes given; a
  shell script around \`ip -batch\`. Before it measures, the bench compares what \`ip\` shows of the
  three and refuses to go on if they differ. Ours also proves that each /dev/tapN leads to its
  macvtap; the others do not. Ours asks for one queue in each veth; the others leave that to the
  kernel, which makes one for each processor and then puts all but one to sleep.
- **Agent**: from a request on its socket to the answer. The kernel takes some 15 to 20 ms to forget
  a link; the agent answers as soon as nobody can find it any more.
- **CNI process**: from posix_spawn to the end of waitpid. Memory is time(1)'s maximum resident set.
- **LANs × 4 spokes**: one after the other over the socket. Idle is what /proc says of the agent's
  processor time, its looks without occasion included. The budgets are set for 100 LANs.
- **TCP**: iperf3, one stream; both paths are there at once and are used in turns.
`;

/** A Markdown table whose columns line up. */
export function table(findings: readonly Finding[]): string {
  const rows = [HEAD, ...findings.map(cells)];
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function cells(finding: Finding): string[] {
  const { what, ours, note, other, unit, budget } = finding;
  const ratio = ratioOf(finding);
  const met = isMet(finding);
  return [
    what,
    withNote(figure(ours, unit), note),
    other === undefined ? "" : withNote(`${other.name} ${figure(other.value, unit)}`, other.note),
    ratio === undefined ? "" : ratio.toFixed(2),
    budget === undefined ? "" : budgetText(budget, unit),
    met === undefined ? "" : met ? "yes" : "**no**",
  ];
}

function withNote(text: string, note: string | undefined): string {
  return note === undefined ? text : `${text} (${note})`;
}

/** Three digits that mean something. */
export function figure(value: number, unit: Unit): string {
  const digits = unit === "messages" || unit === "entries" || value >= 100
    ? 0
    : value >= 10
    ? 1
    : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

function budgetText(budget: Budget, unit: Unit): string {
  if ("most" in budget) return `≤ ${budget.most} ${unit}`;
  if ("mostAboveOther" in budget) return `≤ + ${budget.mostAboveOther} ${unit}`;
  return "mostOfOther" in budget ? `≤ ${budget.mostOfOther} ×` : `≥ ${budget.leastOfOther} ×`;
}
