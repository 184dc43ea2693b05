/** `k8slan status`: the node as its agent sees it. */

import type { AttachmentView, LanView, NodeView } from "../api/agent_protocol.ts";
import { K8slanError } from "../base/errors.ts";
import { agentSocket, askAgent } from "./agent_call.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import { PROBE_HEADERS, probeCells, probeRemarks } from "./status_probes.ts";
import { formatTable } from "./table.ts";

export interface StatusOptions {
  readonly socket?: string;
  readonly output: "table" | "wide" | "json";
}

/** Prints the node's state; the exit code tells scripts whether something needs attention. */
export async function status(options: StatusOptions, host: CliHost): Promise<number> {
  const view = decodeNodeView(await askAgent(agentSocket(options.socket, host), { op: "view" }));
  host.out(
    options.output === "json"
      ? `${JSON.stringify(view, null, 2)}\n`
      : statusText(view, options.output === "wide"),
  );
  return remarks(view).length === 0 ? ExitCode.Ok : ExitCode.Attention;
}

/** What people read: one table a subject, those without rows left out. */
export function statusText(view: NodeView, wide: boolean): string {
  const lans = view.lans.toSorted(byKeys(({ lan }) => [lan]));
  const attachments = view.attachments.toSorted(
    byKeys(({ lan, spoke, containerId, ifname }) => [lan, spoke ?? "\uffff", containerId, ifname]),
  );
  const sections = [
    `Node ${view.node}, agent ${view.version}, process ${view.pid}\n`,
    lans.length === 0 ? "No LAN is configured.\n" : lanTable(lans, attachments, wide),
    ...(wide && lans.some(({ links }) => links.length > 0) ? [linkTable(lans)] : []),
    ...(attachments.length > 0 ? [attachmentTable(attachments, wide)] : []),
    ...(remarks(view).length > 0
      ? [formatTable(["ABOUT", "REASON", "MESSAGE"], remarks(view))]
      : []),
  ];
  return sections.join("\n");
}

function lanTable(
  lans: readonly LanView[],
  attachments: readonly AttachmentView[],
  wide: boolean,
): string {
  const header = ["LAN", "VNI", "STATE", "UNDERLAY", "MTU", "SPOKES", "ATTACHED", ...PROBE_HEADERS];
  return formatTable(
    wide ? [...header, "NETNS", "UID"] : header,
    lans.map(({ lan, vni, state, underlay, mtu, spokes, probe, netns, uid }) => [
      ...[lan, String(vni), state, underlay ?? "", textOf(mtu), String(spokes.length)],
      String(attachments.filter((one) => one.lan === lan).length),
      ...probeCells(probe),
      ...(wide ? [netns, uid] : []),
    ]),
  );
}

function linkTable(lans: readonly LanView[]): string {
  return formatTable(
    ["LAN", "LINK", "ROLE", "STATE", "MTU", "MAC"],
    lans.flatMap(({ lan, links }) =>
      links.map(({ name, role, up, mtu, mac }) => [
        ...[lan, name, role, up ? "up" : "down", String(mtu), mac],
      ])
    ),
  );
}

function attachmentTable(attachments: readonly AttachmentView[], wide: boolean): string {
  const header = ["LAN", "SPOKE", "KIND", "WORKLOAD", "INTERFACE", "MAC", "MTU", "TAP"];
  return formatTable(
    wide ? [...header, "NETNS", "ID"] : header,
    attachments.map(({ lan, spoke, attach, pod, netns, ifname, mac, mtu, tap, containerId }) => [
      ...[lan, spoke ?? "", attach, pod ?? netns ?? "", ifname, mac ?? "", textOf(mtu), tap ?? ""],
      ...(wide ? [netns ?? "", containerId] : []),
    ]),
  );
}

/** What needs attention: what it is about, reason, sentence. */
function remarks({ lans, problems }: NodeView): string[][] {
  return [
    ...lans.toSorted(byKeys(({ lan }) => [lan])).flatMap((view) => [
      ...view.conditions.map(({ reason, message }) => [view.lan, reason, message]),
      ...probeRemarks(view),
    ]),
    ...problems.map(({ reason, message }) => ["node", reason, message]),
  ];
}

function textOf(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}

function byKeys<Row>(keys: (row: Row) => readonly string[]): (a: Row, b: Row) => number {
  const text = (row: Row) => keys(row).join("\0");
  return (a, b) => text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0;
}

/** Throws `K8slanError` unless `value` has the lists that a view is made of. */
function decodeNodeView(value: unknown): NodeView {
  if (typeof value === "object" && value !== null) {
    const { node, lans, attachments, problems } = value as Partial<NodeView>;
    const isView = typeof node === "string" && Array.isArray(lans) && Array.isArray(attachments) &&
      Array.isArray(problems) &&
      lans.every(({ links, conditions, spokes }) =>
        [links, conditions, spokes].every((list) => Array.isArray(list))
      );
    if (isView) return value as NodeView;
  }
  throw new K8slanError(
    "AgentRefused",
    "Agent does not describe this node as expected; run the same version of agent and command line",
  );
}
