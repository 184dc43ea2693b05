/** What `k8slan status` shows, read from the kernel at the moment it is asked. */

import type {
  AttachmentView,
  Condition,
  LanView,
  LinkView,
  NodeView,
} from "../api/agent_protocol.ts";
import { version } from "../version.ts";
import { lanName, underlayName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import { type Attachment, tapPath } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { KnownLan, LanRegistry } from "./lan_registry.ts";
import type { Probes } from "./probes.ts";
import type { Reconciler } from "./reconciler.ts";

export interface ViewDependencies {
  readonly node: string;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly reconciler: Reconciler;
  readonly problems: () => readonly Condition[];
  readonly probes?: Pick<Probes, "view">;
}

export function nodeView(deps: ViewDependencies): NodeView {
  const { attachments, registry } = deps;
  const known = [...registry.all()];
  const ids = new Set(known.map(({ lan }) => markId(lan.metadata.uid)));
  const orphans = attachments.lanIds().filter((id) => !ids.has(id));
  return {
    node: deps.node,
    version,
    pid: Deno.pid,
    lans: [
      ...known.map((entry) => lanView(deps, entry)),
      ...orphans.map((id) => orphanView(deps, id)),
    ],
    attachments: [...attachments.all()].map(attachmentView),
    problems: deps.problems(),
  };
}

function lanView(deps: ViewDependencies, { lan, verdict }: KnownLan): LanView {
  const { spec, metadata } = lan;
  const id = markId(metadata.uid);
  const held = deps.attachments.ofLan(id);
  const links = held.length === 0 ? [] : linksOf(deps, held[0]!.netnsPath);
  const conditions = verdict.accepted
    ? deps.reconciler.conditions(id)
    : [{ reason: verdict.reason, message: verdict.message }];
  const underlay = underlayName(spec, deps.node);
  const vxlan = links.find(({ role }) => role === "vxlan");
  const state = !verdict.accepted
    ? "Rejected"
    : held.length === 0
    ? "Idle"
    : vxlan?.up !== true || conditions.length > 0
    ? "Degraded"
    : "Active";
  const mtu = links.find(({ role }) => role === "bridge")?.mtu;
  const probe = deps.probes?.view(id);
  return {
    ...{ lan: lanName(lan), uid: metadata.uid, vni: spec.vni, netns: spec.ns },
    ...{ spokes: spec.spokes, state, conditions, links },
    ...(underlay === undefined ? {} : { underlay }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(probe === undefined ? {} : { probe }),
  };
}

/** A LAN that is configured no more, but still in use. */
function orphanView(deps: ViewDependencies, id: string): LanView {
  const [held] = deps.attachments.ofLan(id);
  const path = held?.netnsPath ?? "";
  const { links } = deps.builder.observe(path, []);
  const vni = [...links.values()].flatMap(({ attrs }) => attrs.kind === "vxlan" ? attrs.vni : []);
  return {
    lan: held?.lan ?? id,
    uid: id,
    vni: vni[0] ?? 0,
    netns: path.slice(path.lastIndexOf("/") + 1),
    spokes: [],
    state: "Orphaned",
    conditions: [{
      reason: "Orphaned",
      message:
        "This LAN is no longer configured; it is kept for what is attached and goes with the last detach",
    }],
    links: linksOf(deps, path),
  };
}

function linksOf(deps: ViewDependencies, netnsPath: string): LinkView[] {
  return [...deps.builder.observe(netnsPath, []).links.values()].flatMap((link) => {
    const role = roleOf(link);
    const { name, up, mtu, address: mac } = link;
    return role === undefined ? [] : [{ name, role, up, mtu, mac }];
  });
}

function roleOf({ attrs }: LinkInfo): LinkView["role"] | undefined {
  const roles = { bridge: "bridge", vxlan: "vxlan", veth: "port" } as const;
  return attrs.kind in roles ? roles[attrs.kind as keyof typeof roles] : undefined;
}

function attachmentView(attachment: Attachment): AttachmentView {
  const { containerId, ifname, lan, spoke, attach, target, details } = attachment;
  const tap = tapPath(attachment);
  const pod = details?.pod;
  return {
    ...{ containerId, ifname, lan, attach },
    ...(spoke === undefined ? {} : { spoke }),
    ...(target === undefined ? {} : { netns: target.path }),
    ...(pod === undefined ? {} : { pod: `${pod.namespace}/${pod.name}` }),
    ...(details === undefined ? {} : { mac: details.mac, mtu: details.mtu }),
    ...(tap === undefined ? {} : { tap }),
  };
}
