/** The fake kernel, and a person who meddles with it. */

import { parsePrefix } from "../../src/base/ip.ts";
import type { PeerEntry } from "../../src/netlink/forwarding.ts";
import { AGEING_SECONDS, HOST, type Place } from "../../src/plan/ops.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { FakeLink, FakeNetns } from "./fake_machine.ts";
import type { KernelWorld, LinkDrift } from "./contract/world.ts";

export class FakeWorld implements KernelWorld {
  readonly kernel = new FakeKernel();
  readonly netnsDir = this.kernel.netnsDir;
  readonly node = "worker1";

  constructor() {
    this.kernel.addUnderlay("eth1");
  }

  targetPath(name: string): string {
    return `/run/netns/${name}`;
  }

  addNetns(path: string): void {
    this.kernel.machine.addNetns(path);
  }

  removeNetns(path: string): void {
    this.kernel.machine.removePath(path);
  }

  writeFile(path: string, text: string): void {
    this.kernel.machine.files.set(path, text);
  }

  addLink(place: Place, name: string, index?: number): void {
    const link = {
      ...{ name, attrs: { kind: "other", name: "dummy" } as const },
      ...(index === undefined ? {} : { index }),
    };
    this.kernel.machine.add(`add "${name}"`, new FakeLink(this.#netns(place), link));
  }

  addVxlan(name: string, port: number, vni: number | "external"): void {
    const { machine } = this.kernel;
    const link = new FakeLink(machine.host, {
      name,
      attrs: {
        kind: "vxlan",
        ...{ port, hopLimit: 0, learning: true, ageingSeconds: AGEING_SECONDS },
        ...(vni === "external" ? { vni: 0, external: true } : { vni }),
      },
    });
    machine.addVxlan(`add "${name}"`, link);
    machine.setUp(`change "${name}"`, link, true);
  }

  changeLink(place: Place, name: string, change: LinkDrift): void {
    const { machine } = this.kernel;
    const link = this.kernel.link(place, name);
    if (change.mtu !== undefined) machine.setMtu(`change "${name}"`, link, change.mtu);
    if (change.address !== undefined) link.address = change.address;
    if (change.alias !== undefined) link.alias = change.alias;
    if (change.leave) machine.leave(link);
    if (change.up !== undefined) machine.setUp(`change "${name}"`, link, change.up);
    if (change.name !== undefined) machine.rename(link, change.name);
  }

  addAddress(device: string, prefix: string): void {
    const link = this.kernel.link(HOST, device);
    link.vteps = [parsePrefix(prefix).address, ...link.vteps];
  }

  changeForwarding(place: Place, name: string, verb: "append" | "del", entry: PeerEntry): void {
    const link = this.kernel.link(place, name);
    const others = link.forwarding.filter(({ mac, dst, via }) =>
      mac !== entry.mac || dst !== entry.dst || via !== entry.via
    );
    link.forwarding = verb === "append" ? [...others, entry] : others;
  }

  deleteLink(place: Place, name: string): void {
    this.kernel.machine.remove(this.kernel.link(place, name));
  }

  deleteFilters(place: Place): void {
    delete this.#netns(place).filters;
  }

  emptyFilter(place: Place, port: string): void {
    this.#netns(place).filters?.set(port, {});
  }

  addressesOf(place: Place, name: string): string[] {
    return [...this.kernel.link(place, name).addresses];
  }

  snapshot(places: readonly Place[]): string {
    return JSON.stringify(
      places.map((place) => [...this.#netns(place).links.values()].map((link) => link.info())),
      undefined,
      1,
    );
  }

  #netns(place: Place): FakeNetns {
    const { machine } = this.kernel;
    const found = place === HOST ? machine.host : machine.files.get(place);
    if (found instanceof FakeNetns) return found;
    throw new Error(`There is no network namespace "${place}"`);
  }
}
