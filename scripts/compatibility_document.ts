/** docs/compatibility.md, from what became of every cell. */

import { type Exception, exceptionOf } from "../tests/support/compatibility/expectations.ts";
import {
  type Cell,
  keys,
  LAN_MTU,
  type Outcome,
  type PathId,
  PATHS,
  SUBJECTS,
  TRAFFIC,
  UNDERLAY_MTU,
} from "../tests/support/compatibility/matrix.ts";

/** The whole document; cells that nothing is known of are said to be unknown. */
export function renderCompatibility(outcomeOf: (cell: Cell) => Outcome | undefined): string {
  const notes: Exception[] = [];
  const tables = keys(PATHS).map((path) =>
    `## ${PATHS[path]}\n\n${table(path, outcomeOf, notes)}\n`
  );
  const reasons = notes.map(({ why }, at) => wrapped(`${at + 1}. `, why));
  return `${HEAD}\n${tables.join("\n")}\n${reasons.join("\n")}\n\n${FOOT}`;
}

const HEAD = `# What a LAN carries

Which frames reach whom, by how a workload is attached and by what is in it. Every cell is tried
with real frames, in both directions, by \`tests/kernel/compatibility_test.ts\`, which fails where
this page is not true; \`scripts/compatibility\` measures it on your machine and kernel.

- **macvtap, pod**: NetworkAttachmentDefinition \`<spoke>\`, the pod itself uses the interface.
- **macvtap, VM on its tap**: the same, a VM has \`/dev/tapN\` open, as KubeVirt's binding with
  \`domainAttachmentType: tap\` does.
- **veth, pod**: \`<spoke>-veth\` or \`<lan>-any\`.
- **veth, VM behind a bridge**: the same, with a bridge and a tap in the pod, as KubeVirt's bindings
  \`bridge\` and \`managedTap\` do. Measured with a bridge as Linux makes it by default and with a
  program at the tap, without KubeVirt and QEMU.

**yes** means: each frame arrives once and unchanged, at whoever is to get it, without anybody
having asked for it.

**Jumbo**: all cells are measured on LANs with MTU ${LAN_MTU}, which is what an underlay with MTU
${UNDERLAY_MTU} leaves (74 bytes less). Your LAN has what your underlay leaves, unless \`spec.mtu\` says
less.
`;

const FOOT = `## What is the same everywhere

- 802.3x pause frames (01:80:c2:00:00:01) go nowhere: the kernel's bridge keeps them.
- A macvtap cannot be a port of a bridge in the pod: the kernel refuses it. For a VM behind a
  bridge take the veth. A veth, in turn, has no \`/dev/tapN\`.
- A bridge in a VM's pod looks at multicast once there is an IGMP or MLD querier on the LAN, such as
  a multicast router: IP multicast that the guest has not joined then no longer comes to it (but for
  224.0.0.x and ff02::1). Without a querier, as measured here, all of it comes. A macvtap, and the
  LAN's own bridge, never look at it.
- IPv4 multicast in fragments reaches a macvtap as one frame: the kernel joins them.
- \`pinMac\` and \`broadcastLimit\`, where a LAN has them, drop what they are there to drop.
`;

function table(
  path: PathId,
  outcomeOf: (cell: Cell) => Outcome | undefined,
  notes: Exception[],
): string {
  const rows = [
    ["", ...Object.values(SUBJECTS).map(({ title }) => title)],
    ...keys(TRAFFIC).map((traffic) => [
      TRAFFIC[traffic].title,
      ...keys(SUBJECTS).map((subject) => {
        const cell = { subject, traffic, path };
        return cellText(outcomeOf(cell), exceptionOf(cell), notes);
      }),
    ]),
  ];
  const widths = rows[0]!.map((_, at) => Math.max(3, ...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) =>
    `| ${row.map((text, at) => text.padEnd(widths[at]!)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function cellText(
  outcome: Outcome | undefined,
  exception: Exception | undefined,
  notes: Exception[],
): string {
  if (outcome === "works") return "yes";
  const text = outcome === "lost" ? "no" : outcome ?? "unknown";
  if (exception === undefined || exception.outcome !== outcome) return text;
  if (!notes.includes(exception)) notes.push(exception);
  return `${text} (${notes.indexOf(exception) + 1})`;
}

/** At most a hundred characters a line. */
function wrapped(first: string, text: string): string {
  const lines: string[] = [];
  let line = first.trimEnd();
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > 100) {
      lines.push(line);
      line = " ".repeat(first.length - 1);
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}
