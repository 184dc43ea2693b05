/** What row "lan" builds: a LAN with four macvtaps, as our plan has it and in plain words for others. */

import { macvtapOn, seedLan } from "../../tests/support/lan_fixture.ts";
import type { LabNode } from "../../tests/support/netns_lab.ts";
import { BRIDGE_INDEX } from "../../src/plan/identity.ts";
import { lanPlan } from "../../src/plan/lan_plan.ts";
import { AGEING_SECONDS, GROUP_FORWARD_MASK, HOST, type Place } from "../../src/plan/ops.ts";
import { lanOps } from "../../src/plan/preview.ts";
import type { Underlay, WantedLan, WantedMacvtap } from "../../src/plan/wanted.ts";

const SPOKES = ["pod1", "pod2", "pod3", "pod4"];
const IFNAME = "net1";

export interface BenchLan extends WantedLan {
  readonly attachments: readonly WantedMacvtap[];
}

/** The LAN of the README with four spokes on `node`, each attached to one of `targets`. */
export function benchLan(
  { uniqueName: node, dir }: LabNode,
  underlay: Underlay,
  targets: readonly string[],
): BenchLan {
  const lan = seedLan({ spokes: SPOKES, vxlanDevMap: { [node]: underlay.name } });
  const attachments = targets.map((target, at) =>
    macvtapOn(SPOKES[at]!, { lan, node, target, ifname: IFNAME })
  );
  return { ...lanPlan(lan, { name: node, netnsDir: dir }, underlay, attachments), attachments };
}

/** The same for programs that know nothing of ours. */
export function plainLan(wanted: BenchLan) {
  const { netns, mtu, bridge, vxlan, attachments } = wanted;
  if (vxlan === undefined) throw new Error("The LAN has no underlay");
  const alias = (place: Place, name: string) => aliasOf(wanted, place, name);
  return {
    ...{ path: netns.path, mark: netns.mark, mtu },
    ...{ forwardMask: GROUP_FORWARD_MASK, ageing: AGEING_SECONDS },
    bridge: { ...bridge, index: BRIDGE_INDEX, alias: alias(netns.path, bridge.name) },
    vxlan: {
      ...{ name: vxlan.name, address: vxlan.address, group: vxlan.group },
      ...{ vni: vxlan.vni, port: vxlan.port, hopLimit: vxlan.hopLimit, mtu: vxlan.mtu },
      alias: alias(netns.path, vxlan.name),
      underlayName: vxlan.underlay.name,
      underlayIndex: vxlan.underlay.index,
    },
    spokes: attachments.map((attachment) => ({
      name: attachment.spoke,
      address: attachment.address,
      alias: alias(HOST, attachment.spoke),
      port: attachment.port,
      portAddress: attachment.portAddress,
      portAlias: alias(netns.path, attachment.port),
      target: attachment.target ?? "",
      ifname: attachment.ifname,
      ...{ index: attachment.index, mtu: attachment.mtu },
      ...{ ownerUid: attachment.owner.uid, ownerGid: attachment.owner.gid },
    })),
  };
}

/** The mark that a link ends up with. */
function aliasOf(wanted: BenchLan, place: Place, link: string): string {
  const last = lanOps(wanted).flatMap((op) =>
    op.op === "change-link" && op.at === place && op.name === link ? op.alias ?? [] : []
  ).at(-1);
  if (last === undefined) throw new Error(`Link "${link}" gets no mark`);
  return last;
}

export type PlainLan = ReturnType<typeof plainLan>;
