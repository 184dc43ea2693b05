/** A LAN that stands, as a kernel would report it, for tests that then take something away. */

import { diff } from "../../src/plan/diff.ts";
import { lanPlan } from "../../src/plan/lan_plan.ts";
import type { ObservedLan } from "../../src/plan/observed.ts";
import type { LinkInfo } from "../../src/netlink/link_info.ts";
import type { WantedAttachment, WantedLan } from "../../src/plan/wanted.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { macvtapOn, scopeOf, seedLan, vethOn } from "./lan_fixture.ts";

/** What a node sees that has nothing of a LAN. */
export const NOTHING: ObservedLan = {
  netns: { state: "absent" },
  links: new Map(),
  hostLinks: new Map(),
  targets: new Map(),
  forwarding: [],
};

export const POD1 = "/run/netns/pod1-ns";
export const POD2 = "/run/netns/pod2-ns";

/** A macvtap in `POD1`. */
export const MACVTAP = macvtapOn("pod1", { target: POD1 });
/** A veth in `POD2`. */
export const VETH = vethOn("pod2", { target: POD2 });

export interface BuiltLan {
  readonly kernel: FakeKernel;
  readonly wanted: WantedLan;
  readonly observed: ObservedLan;
}

/** The README's LAN on "worker1" with these attachments, built in a fake kernel. */
export async function builtLan(
  attachments: readonly WantedAttachment[] = [MACVTAP, VETH],
): Promise<BuiltLan> {
  const kernel = new FakeKernel();
  kernel.addUnderlay("eth1");
  for (const path of [POD1, POD2]) kernel.machine.addNetns(path);
  const node = { name: "worker1", netnsDir: kernel.netnsDir };
  const wanted = lanPlan(seedLan(), node, kernel.underlay("eth1"), attachments);
  await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
  return { kernel, wanted, observed: kernel.observe(scopeOf(wanted)) };
}

/** Where a link is to be changed: the LAN's namespace, the host's, or a workload's by its path. */
export type Where = "lan" | "host" | string;

/** The same with one link changed, or without it. */
export function withLink(
  observed: ObservedLan,
  where: Where,
  name: string,
  change: Partial<LinkInfo> | "gone",
): ObservedLan {
  const edit = (links: ReadonlyMap<string, LinkInfo>) => {
    const found = links.get(name);
    if (found === undefined) throw new Error(`There is no link "${name}" in ${where}`);
    const rest = [...links].filter(([other]) => other !== name);
    if (change === "gone") return new Map(rest);
    const link = { ...found, ...change };
    return new Map([...rest, [link.name, link] as const]);
  };
  if (where === "lan") return { ...observed, links: edit(observed.links) };
  if (where === "host") return { ...observed, hostLinks: edit(observed.hostLinks) };
  const inside = observed.targets.get(where) ?? new Map();
  return { ...observed, targets: new Map([...observed.targets, [where, edit(inside)]]) };
}
