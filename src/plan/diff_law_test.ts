/** The law of the plan: what `diff` asks for, done, leaves nothing to ask for. */

import assert from "node:assert/strict";
import type { LanSpec } from "../api/lan.ts";
import { K8slanError } from "../base/errors.ts";
import { UNKNOWN_MAC } from "../base/mac.ts";
import { FakeKernel } from "../../tests/support/fake_kernel.ts";
import type { FakeLink } from "../../tests/support/fake_machine.ts";
import { macvtapOn, scopeOf, seedLan, vethOn } from "../../tests/support/lan_fixture.ts";
import { randomInts } from "../../tests/support/random.ts";
import { detachment, diff, removal } from "./diff.ts";
import { lanPlan, underlayName } from "./lan_plan.ts";
import type { WantedAttachment, WantedLan } from "./wanted.ts";

const SEEDS = 150;
const STEPS = 25;
const PROTECTIONS: readonly Partial<LanSpec>[] = [
  ...[{}, { pinMac: true }, { broadcastLimit: 7 }, { pinMac: true, broadcastLimit: 100 }],
];
const DEVICES = ["eth1", "eth2", "eth3"] as const;

const PEERS = [
  ...[undefined, [], ["2001:db8::2"], ["2001:db8::2", "2001:db8::3"]],
  ["fe80::2", "fe80::3", "2001:db8::3"],
];
const VTEPS = [["fe80::1"], ["2001:db8::1", "fe80::1"], ["2001:db8::9"], []];

type Random = (below: number) => number;

/** A node with a LAN that is now wanted so, now so, while somebody meddles with its links. */
class Node {
  readonly kernel = new FakeKernel();
  readonly #random: Random;
  #mtu: number | undefined;
  #protection: Partial<LanSpec> = {};
  #device: string = DEVICES[0];
  /** A unicast underlay with these; absent: multicast. */
  #peers: readonly string[] | undefined;
  #attachments: WantedAttachment[] = [];
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    for (const [at, device] of DEVICES.entries()) {
      // No port has these by chance. One that has is a case for a second look: the VXLAN has to be
      // made anew after that port has gone (tests/support/contract/peers.ts).
      this.kernel.addUnderlay(device, 1500, 1000 + at);
    }
  }

  wanted(): WantedLan {
    const lan = seedLan({
      vxlanDevMap: { worker1: this.#device },
      ...(this.#mtu === undefined ? {} : { mtu: this.#mtu }),
      ...this.#protection,
      ...(this.#peers === undefined ? {} : { underlay: "unicast" }),
    });
    const name = underlayName(lan.spec, "worker1");
    const underlay = name === undefined ? undefined : this.kernel.underlay(name);
    const node = { name: "worker1", netnsDir: this.kernel.netnsDir };
    return lanPlan(lan, node, underlay, this.#attachments, this.#peers);
  }

  /** Wants something else than before. */
  async rethink(): Promise<string> {
    switch (this.#random(9)) {
      case 0:
        this.#device = DEVICES[this.#random(DEVICES.length)]!;
        return `underlay ${this.#device}`;
      case 1:
        this.#mtu = [undefined, 1280, 1400, 1430, 1500][this.#random(5)];
        return `MTU ${this.#mtu}`;
      case 2:
        return await this.#detach();
      case 3:
        this.#protection = PROTECTIONS[this.#random(PROTECTIONS.length)]!;
        return `protection ${JSON.stringify(this.#protection)}`;
      case 4:
        this.#peers = PEERS[this.#random(PEERS.length)];
        return `peers ${this.#peers}`;
      case 5:
        return this.#readdress();
      default:
        return this.#attach();
    }
  }

  /** Gives the underlay other addresses. */
  #readdress(): string {
    const link = this.kernel.machine.host.links.get(this.#device);
    if (link === undefined) return "nothing";
    link.vteps = VTEPS[this.#random(VTEPS.length)]!;
    return `addresses ${link.vteps} of ${this.#device}`;
  }

  #attach(): string {
    const spoke = `pod${1 + this.#random(6)}`;
    if (this.#attachments.some((attachment) => attachment.spoke === spoke)) return "nothing";
    const count = this.#count++;
    const target = `/run/netns/${count}`;
    this.kernel.machine.addNetns(target);
    const options = { target, containerId: `c${count}`, mtu: [1426, 1300][this.#random(2)]! };
    const kind = this.#random(3);
    this.#attachments.push(
      kind === 0 ? macvtapOn(spoke, options) : vethOn(kind === 1 ? spoke : undefined, options),
    );
    return `attach ${spoke} as kind ${kind}`;
  }

  async #detach(): Promise<string> {
    const gone = this.#attachments.splice(this.#random(this.#attachments.length + 1), 1)[0];
    if (gone === undefined) return "nothing";
    const wanted = this.wanted();
    const observed = this.kernel.observe(scopeOf(wanted));
    await this.kernel.apply(detachment(observed, wanted.netns.path, gone.port));
    return `detach ${gone.port}`;
  }

  /** Does to any link of the LAN what a person could do. */
  meddle(): string {
    const { machine } = this.kernel;
    const links = machine.links().filter(({ name, netns }) => {
      return netns === machine.host
        ? !["lo"].includes(name)
        : name !== "lo" || this.#random(4) === 0;
    });
    const link = links[this.#random(links.length)];
    if (link === undefined) return "nothing";
    const what = `${link.name} of namespace ${link.netns.id}`;
    switch (this.#random(12)) {
      case 0:
        if (link.name === "lo") return "nothing";
        machine.remove(link);
        return `delete ${what}`;
      case 1:
      case 2:
        machine.setUp("meddle", link, !link.up);
        return `up or down ${what}`;
      case 3:
        return `${tryTo(() => machine.setMtu("meddle", link, 1200 + this.#random(400)))} ${what}`;
      case 4:
        machine.leave(link);
        return `out of the bridge ${what}`;
      case 5:
        return this.#rename(link, what);
      case 6:
        link.arp = !link.arp;
        return `arp of ${what}`;
      case 8:
        return this.#meddleWithFilters();
      case 9:
        return this.#meddleWithPeers();
      case 7:
        link.groupForwardMask = 0;
        return `mask of ${what}`;
      default:
        if (link.attrs.kind === "bridge") link.attrs = { ...link.attrs, stp: true };
        if (link.attrs.kind === "vxlan") link.attrs = { ...link.attrs, learning: false };
        return `attributes of ${what}`;
    }
  }

  #meddleWithPeers(): string {
    const vxlan = this.kernel.machine.links().find(({ attrs }) => attrs.kind === "vxlan");
    if (vxlan === undefined) return "nothing";
    const { forwarding } = vxlan;
    const entries = [
      { mac: UNKNOWN_MAC, dst: "2001:db8::99" },
      { mac: UNKNOWN_MAC, dst: "fe80::2" },
      { mac: "02:00:00:00:00:99", dst: "2001:db8::2" },
    ];
    const at = this.#random(4);
    vxlan.forwarding = at === 3 ? forwarding.slice(1) : [...forwarding, entries[at]!];
    return `peers of ${vxlan.name} by hand (${at})`;
  }

  #meddleWithFilters(): string {
    const [netns] = this.kernel.machine.netnses().values().filter(({ filters }) => filters);
    const [port] = netns?.filters?.keys() ?? [];
    if (netns === undefined || port === undefined) return "nothing";
    const damages = [{}, { mac: "02:00:00:00:00:99" }, "damaged", undefined] as const;
    const damage = damages[this.#random(damages.length)];
    if (damage === undefined) delete netns.filters;
    else netns.filters?.set(port, damage);
    return `filter of ${port} to ${JSON.stringify(damage)}`;
  }

  #rename(link: FakeLink, what: string): string {
    const taken = link.name === "lo" || link.netns.links.has("renamed");
    // Underlays that come and go are another case than host ends that nobody can find any more.
    if (taken || link.netns === this.kernel.machine.host) return "nothing";
    this.kernel.machine.rename(link, "renamed");
    return `rename ${what}`;
  }
}

function tryTo(act: () => void): string {
  try {
    act();
    return "MTU of";
  } catch {
    return "MTU refused of";
  }
}

Deno.test("diff() asks for nothing after what it asked for was done, whatever happened before", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomInts(seed);
    const node = new Node(random);
    const story: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      story.push(random(2) === 0 ? await node.rethink() : node.meddle());
      const wanted = node.wanted();
      const { kernel } = node;
      const what = () => `seed ${seed}: ${story.join(", ")}`;
      try {
        const observed = kernel.observe(scopeOf(wanted));
        await kernel.apply(diff(wanted, observed));
      } catch (error) {
        throw new Error(what(), { cause: error });
      }
      assert.deepEqual(diff(wanted, kernel.observe(scopeOf(wanted))), [], what());
    }
  }
});

Deno.test("removal() leaves nothing of a LAN, whatever happened before", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomInts(seed);
    const node = new Node(random);
    const { kernel } = node;
    for (let step = 0; step < STEPS; step++) {
      if (random(2) === 0) await node.rethink();
      else node.meddle();
      const wanted = node.wanted();
      await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
    }
    const wanted = node.wanted();
    await kernel.apply(removal(wanted, kernel.observe(scopeOf(wanted)).links.values()));
    assert.deepEqual(kernel.netnsPaths(), [], `seed ${seed}`);
    assert.deepEqual(kernel.markedHostLinks(), [], `seed ${seed}`);
  }
});

Deno.test("diff() changes nothing that has not the LAN's mark", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomInts(seed);
    const node = new Node(random);
    const { kernel } = node;
    for (const device of ["eth2", "eth3"]) kernel.link("host", device).alias = "precious";
    for (let step = 0; step < STEPS; step++) {
      await node.rethink();
      if (random(3) === 0) kernel.machine.addNetns(`${kernel.netnsDir}/other${step}`);
      const before = foreign(kernel);
      const wanted = node.wanted();
      try {
        await kernel.apply(diff(wanted, kernel.observe(scopeOf(wanted))));
      } catch (error) {
        if (!(error instanceof K8slanError)) throw error;
      }
      assert.deepEqual(foreign(kernel), before, `seed ${seed}`);
    }
  }
});

/** Everything outside the LAN's own links. */
function foreign({ machine }: FakeKernel): unknown {
  return machine.links()
    .filter(({ alias, name, netns }) => {
      const isOurs = alias?.startsWith("k8slan ") || netns.lo.alias?.startsWith("k8slan ");
      return !isOurs && !name.endsWith(".b");
    })
    .map((link) => [link.netns.id, link.info()]);
}
