/** The VXLAN of a LAN: wanted and observed → operations. */

import type { LinkInfo } from "../netlink/link_info.ts";
import type { VxlanAttrs } from "../netlink/link/vxlan.ts";
import type { Steps } from "./diff.ts";
import { changeLink } from "./diff_link.ts";
import { BRIDGE_INDEX } from "./identity.ts";
import { formatMark, markId } from "./mark.ts";
import { AGEING_SECONDS, GROUP_FORWARD_MASK } from "./ops.ts";
import type { WantedLan, WantedVxlan } from "./wanted.ts";

export function diffVxlan(
  wanted: WantedLan,
  links: ReadonlyMap<string, LinkInfo>,
  bridgeStays: boolean,
  steps: Steps,
): void {
  const { vxlan, netns: { path: at } } = wanted;
  if (vxlan === undefined) return;
  const { name } = vxlan;
  const alias = formatMark({ lan: markId(wanted.uid) });
  // Renamed by hand or not: two VXLANs of one VNI cannot be.
  const stale = [...links.values()].filter(({ name: found, attrs }) =>
    attrs.kind === "vxlan" ? found !== name || !isSame(vxlan, attrs) : found === name
  );
  for (const link of stale) steps.host.push({ op: "delete-link", at, name: link.name });
  const link = links.get(name);
  if (link === undefined || stale.includes(link)) {
    const { vni, group, port, hopLimit, underlay, mtu, address } = vxlan;
    steps.host.push({
      op: "create-vxlan",
      ...{ at, name, vni, group, port, hopLimit, underlay, mtu, address },
    });
    steps.lan.push({ op: "join-bridge", at, name, bridge: wanted.bridge.name });
    steps.lan.push({ op: "change-link", at, name, up: true, alias });
    return;
  }
  if (!bridgeStays || !isPort(link)) {
    steps.lan.push({ op: "join-bridge", at, name, bridge: wanted.bridge.name });
  }
  changeLink(steps.lan, at, link, { up: true, mtu: vxlan.mtu, alias });
}

export function isPort(link: LinkInfo): boolean {
  return link.master === BRIDGE_INDEX && link.port?.groupForwardMask === GROUP_FORWARD_MASK;
}

function isSame(wanted: WantedVxlan, found: VxlanAttrs): boolean {
  return found.vni === wanted.vni && found.group === wanted.group && found.port === wanted.port &&
    found.hopLimit === wanted.hopLimit && found.underlayIndex === wanted.underlay.index &&
    found.learning && found.ageingSeconds === AGEING_SECONDS;
}
