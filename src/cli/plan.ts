/** `k8slan plan`: the shell commands that make LANs by hand. Reads files, touches nothing. */

import { resolve } from "node:path";
import { K8slanError } from "../base/errors.ts";
import type { Lan } from "../api/lan.ts";
import { describeFileIssue } from "../api/lan_yaml.ts";
import { INNER_VLAN_TAG, VXLAN6_OVERHEAD } from "../api/names.ts";
import { lanName, lanPlan, underlayName } from "../plan/lan_plan.ts";
import { opText } from "../plan/ops_text.ts";
import { lanOps, spokeOps, spokePlan } from "../plan/preview.ts";
import type { PlanCondition, Underlay, WantedAttachment, WantedLan } from "../plan/wanted.ts";
import { type AttachSpec, parseAttachSpec } from "./attach_spec.ts";
import { ExitCode } from "./exit_code.ts";
import { type CliHost, nodeName } from "./host.ts";
import { readLanFiles } from "./lan_files.ts";
import { containerIdOf } from "./workload.ts";

export interface PlanOptions {
  readonly file: readonly string[];
  readonly node?: string;
  readonly underlayMtu: number;
  /** IPv6 address of the node, for LANs with a unicast underlay. */
  readonly address?: string;
  /** Those of the others. */
  readonly peer?: readonly string[];
  readonly spoke?: readonly string[];
  readonly attach?: readonly string[];
  readonly netnsDir: string;
  readonly output: "text" | "json";
}

/** QEMU's user and group on most distributions, as the agent's default. */
const TAP_OWNER = { uid: 107, gid: 107 };

/** Prints the commands of every LAN, or nothing at all if one of them is not valid. */
export async function plan(options: PlanOptions, host: CliHost): Promise<number> {
  const attach = (options.attach ?? []).map((text) => parseAttachSpec(text, Deno.cwd()));
  const { lans, issues } = await readLanFiles(options.file, host);
  for (const issue of issues) host.err(`k8slan: ${describeFileIssue(issue)}\n`);
  if (issues.length > 0) return ExitCode.Failed;
  const chosen = options.spoke === undefined ? undefined : new Set(options.spoke);
  requireSpokes([...chosen ?? [], ...attach.map(({ spoke }) => spoke)], lans.map(({ lan }) => lan));
  const request: PlanRequest = {
    node: { name: nodeName(options.node, host), netnsDir: resolve(options.netnsDir) },
    underlayMtu: options.underlayMtu,
    ...(options.address === undefined ? {} : { address: options.address }),
    peers: options.peer ?? [],
    isChosen: (spoke) => chosen?.has(spoke) ?? true,
    attach,
  };
  const plans = lans.map(({ lan }) => planLan(lan, request));
  for (const { obstacle } of plans) {
    if (obstacle !== undefined) host.err(`k8slan: ${obstacle.message}\n`);
  }
  host.out(
    options.output === "json"
      ? `${JSON.stringify({ node: request.node.name, lans: plans.map(jsonOf) }, null, 2)}\n`
      : plans.map((one) => textOf(one, request)).join("\n"),
  );
  return plans.some(({ obstacle }) => obstacle !== undefined) ? ExitCode.Failed : ExitCode.Ok;
}

interface PlanRequest {
  readonly node: { readonly name: string; readonly netnsDir: string };
  readonly underlayMtu: number;
  readonly address?: string;
  readonly peers: readonly string[];
  readonly isChosen: (spoke: string) => boolean;
  readonly attach: readonly AttachSpec[];
}

interface PlannedLan {
  readonly lan: Lan;
  readonly wanted: WantedLan;
  readonly underlay?: string;
  /** Why the agent would not build it on this node; then there are no parts. */
  readonly obstacle?: PlanCondition;
  readonly parts: readonly Part[];
}

interface Part {
  readonly title: string;
  readonly commands: readonly string[];
}

function requireSpokes(asked: readonly string[], lans: readonly Lan[]): void {
  const known = new Set(lans.flatMap(({ spec }) => spec.spokes));
  const unknown = asked.find((spoke) => !known.has(spoke));
  if (unknown === undefined) return;
  throw new K8slanError("SpokeNotFound", `No LAN in these files has a spoke "${unknown}"`);
}

function planLan(lan: Lan, request: PlanRequest): PlannedLan {
  const { node, isChosen, peers } = request;
  const device = underlayName(lan.spec, node.name);
  const underlay = device === undefined ? undefined : assumed(device, request);
  const { mtu } = lanPlan(lan, node, underlay);
  const attach = request.attach.filter(({ spoke }) => lan.spec.spokes.includes(spoke));
  const attachments = attach.map((spec) => attachment(lan, node.name, mtu, spec));
  const wanted = lanPlan(lan, node, underlay, attachments, peers);
  const planned = { lan, wanted, ...(device === undefined ? {} : { underlay: device }) };
  const obstacle = wanted.conditions.find(({ blocking }) => blocking) ??
    (lan.spec.underlay === "unicast" && request.address === undefined
      ? addressMissing(lan)
      : undefined);
  if (obstacle !== undefined) return { ...planned, obstacle, parts: [] };
  const attached = new Set(attach.map(({ spoke }) => spoke));
  const idle = lan.spec.spokes.filter((spoke) => isChosen(spoke) && !attached.has(spoke));
  const whole = [
    "Network namespace, bridge and VXLAN",
    ...attach.map(({ spoke, attach, ifname, netns }) =>
      `${spoke} as ${attach} ${ifname} in ${netns}`
    ),
  ].join("; ");
  return {
    ...planned,
    parts: [
      { title: whole, commands: lanOps(wanted).flatMap(opText) },
      ...idle.map((spoke) => ({
        title: `Spoke ${spoke}`,
        commands: spokeOps(wanted, spokePlan(lan, node.name, spoke, mtu)).flatMap(opText),
      })),
    ],
  };
}

function addressMissing(lan: Lan): PlanCondition {
  return {
    reason: "AddressMissing",
    blocking: true,
    message: `LAN "${
      lanName(lan)
    }" has a unicast underlay; name the node's own IPv6 address with --address and those of the other nodes with --peer`,
  };
}

/** A device that has nothing wrong with it; its index appears in no command. */
function assumed(name: string, { underlayMtu: mtu, address }: PlanRequest): Underlay {
  const addresses = address === undefined ? [] : [address];
  return { name, mtu, index: 0, up: true, running: true, ipv6: "usable", addresses };
}

function attachment(
  lan: Lan,
  node: string,
  mtu: number,
  { spoke, netns, ifname, attach }: AttachSpec,
): WantedAttachment {
  const { index, ...pair } = spokePlan(lan, node, spoke, mtu);
  const base = { ...pair, containerId: containerIdOf(netns), ifname, target: netns };
  return attach === "veth"
    ? { ...base, attach: "veth" }
    : { ...base, attach: "macvtap", index, owner: TAP_OWNER };
}

function textOf(
  { lan, wanted, underlay, obstacle, parts }: PlannedLan,
  request: PlanRequest,
): string {
  const { node: { name: node }, underlayMtu } = request;
  const head = `# LAN ${lanName(lan)} on node ${node}\n`;
  if (obstacle !== undefined) return `${head}# Not planned: ${obstacle.message}\n`;
  const source = Object.hasOwn(lan.spec.vxlanDevMap ?? {}, node)
    ? "vxlanDevMap"
    : "defaultVxlanDev";
  const mtu = lan.spec.mtu === undefined
    ? `the underlay's less ${VXLAN6_OVERHEAD} for VXLAN and ${INNER_VLAN_TAG} for a VLAN tag inside`
    : "from spec.mtu";
  return [
    head,
    `# Underlay ${underlay}, from spec.${source}, taken to have MTU ${underlayMtu}\n`,
    `# MTU ${wanted.mtu}, ${mtu}\n`,
    ...parts.map(({ title, commands }) => `# ${title}\n${commands.join("\n")}\n`),
  ].join("");
}

function jsonOf({ lan, wanted, underlay, obstacle, parts }: PlannedLan) {
  return {
    lan: lanName(lan),
    ...(underlay === undefined ? {} : { underlay }),
    mtu: wanted.mtu,
    ...(obstacle === undefined
      ? {}
      : { obstacle: { reason: obstacle.reason, message: obstacle.message } }),
    commands: parts.flatMap(({ commands }) => commands),
  };
}
