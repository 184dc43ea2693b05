/** The VXLAN of a LAN: wanted and observed → operations. */

import type { LinkInfo } from "../netlink/link_info.ts";
import type { VxlanAttrs } from "../netlink/link/vxlan.ts";
import type { Steps } from "./diff.ts";
import { changeLink } from "./diff_link.ts";
import { diffPeers, peersVia } from "./diff_peers.ts";
import { BRIDGE_INDEX, VXLAN_INDEX } from "./identity.ts";
import { formatMark, markId } from "./mark.ts";
import { AGEING_SECONDS, GROUP_FORWARD_MASK } from "./ops.ts";
import type { ObservedLan } from "./observed.ts";
import type { WantedLan, WantedVxlan } from "./wanted.ts";

export function diffVxlan(
  wanted: WantedLan,
  { links, forwarding }: Pick<ObservedLan, "links" | "forwarding">,
  bridgeStays: boolean,
  steps: Steps,
): void {
  const { vxlan, netns: { path: at } } = wanted;
  if (vxlan === undefined) return;
  const { name } = vxlan;
  const alias = formatMark({ lan: markId(wanted.uid) });
  // Renamed by hand or not: two VXLANs of one VNI cannot be.
  const stale = [...links.values()].filter(({ name: found, attrs }) =>
    attrs.kind === "vxlan"
      ? found !== name || !isSame(vxlan, attrs) || !canNamePeers(vxlan, links)
      : found === name
  );
  for (const link of stale) steps.host.push({ op: "delete-link", at, name: link.name });
  const link = links.get(name);
  if (link === undefined || stale.includes(link)) {
    const { vni, group, local, port, hopLimit, underlay, mtu, address } = vxlan;
    const index = newIndex(vxlan, [...links.values()].filter((other) => !stale.includes(other)));
    steps.host.push({
      op: "create-vxlan",
      ...{ at, name, vni, port, hopLimit, underlay, mtu, address },
      ...(index === undefined ? {} : { index }),
      ...(group === undefined ? {} : { group }),
      ...(local === undefined ? {} : { local }),
    });
    if (index !== undefined) diffPeers(steps.lan, vxlan, { at, index, forwarding: [] });
    steps.lan.push({ op: "join-bridge", at, name, bridge: wanted.bridge.name });
    steps.lan.push({ op: "change-link", at, name, up: true, alias });
    return;
  }
  if (!bridgeStays || !isPort(link)) {
    steps.lan.push({ op: "join-bridge", at, name, bridge: wanted.bridge.name });
  }
  diffPeers(steps.lan, vxlan, { at, index: link.index, forwarding });
  changeLink(steps.lan, at, link, { up: true, mtu: vxlan.mtu, alias });
}

/** Known beforehand where peers are to be named; the kernel's choice where there is a group. */
function newIndex(vxlan: WantedVxlan, others: readonly LinkInfo[]): number | undefined {
  if (vxlan.group !== undefined) return undefined;
  const via = peersVia(vxlan)?.index;
  return via === undefined || others.some(({ index }) => index === via) ? VXLAN_INDEX : via;
}

/** The kernel takes the index of the device that leads to a peer only if a link of the LAN has it too. */
function canNamePeers(vxlan: WantedVxlan, links: ReadonlyMap<string, LinkInfo>): boolean {
  const via = peersVia(vxlan)?.index;
  return via === undefined || [...links.values()].some(({ index }) => index === via);
}

export function isPort(link: LinkInfo): boolean {
  return link.master === BRIDGE_INDEX && link.port?.groupForwardMask === GROUP_FORWARD_MASK;
}

function isSame(wanted: WantedVxlan, found: VxlanAttrs): boolean {
  return found.vni === wanted.vni && found.group === wanted.group &&
    found.local === wanted.local && found.port === wanted.port &&
    found.hopLimit === wanted.hopLimit && found.underlayIndex === wanted.underlay.index &&
    found.learning && found.ageingSeconds === AGEING_SECONDS;
}
