/**
 * Builds and removes LANs over and over in the node it runs in: NODE DIRECTORY ROUNDS. Prints how
 * many descriptors were open before and after, and whether it is still in its own namespace.
 */

// deno-lint-ignore-file no-console

import { diff, removal } from "../../src/plan/diff.ts";
import { lanPlan } from "../../src/plan/lan_plan.ts";
import { macvtapOn, scopeOf, seedLan, vethOn } from "./lan_fixture.ts";
import { LinuxWorld } from "./linux_world.ts";

const [node = "", dir = "", rounds = "0"] = Deno.args;
await using world = new LinuxWorld(node, dir);
const { kernel, netnsDir } = world;
const [vm, pod] = [world.targetPath("vm"), world.targetPath("pod")];
for (const path of [vm, pod]) world.addNetns(path);
const home = Deno.readLinkSync("/proc/thread-self/ns/net");

async function round(at: number): Promise<void> {
  const lan = seedLan({ ns: `lan${at}`, vni: 1000 + at, vxlanDevMap: { [node]: "eth1" } });
  const wanted = lanPlan(lan, { name: node, netnsDir }, kernel.underlay("eth1"), [
    macvtapOn("pod1", { node, target: vm }),
    vethOn("pod2", { node, target: pod }),
  ]);
  await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
  // Half of the rounds fail in the middle: the name is taken.
  const again = lanPlan(
    seedLan({ ns: `no${at}`, vxlanDevMap: { [node]: "eth1" } }, "other"),
    {
      ...{ name: node, netnsDir },
    },
    kernel.underlay("eth1"),
    [vethOn("pod3", { node, target: pod })],
  );
  const blind = { ...kernel.observe(scopeOf(again)), targets: new Map() };
  await kernel.apply(diff(again, blind)).then(
    () => Promise.reject(new Error("It should have failed")),
    () => {},
  );
  for (const { netns } of [again, wanted]) {
    const { links } = kernel.observe({ netnsPath: netns.path, hostLinks: [], targets: [] });
    const ports = [...links.values()].filter(({ attrs }) => attrs.kind === "veth");
    await kernel.apply([
      ...ports.map(({ name }) => ({ op: "delete-link", at: netns.path, name }) as const),
      ...removal({ netns }, links.values()),
    ]);
  }
  await kernel.settled();
}

const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
// The first rounds open what stays open.
for (let at = 0; at < 3; at++) await round(at);
const before = descriptors();
for (let at = 3; at < Number(rounds); at++) await round(at);
console.log(JSON.stringify({
  before,
  after: descriptors(),
  isHome: Deno.readLinkSync("/proc/thread-self/ns/net") === home,
  netnses: kernel.netnsPaths(),
  marked: kernel.markedHostLinks(),
}));
