/**
 * The real kernel, and a person who meddles with it by `ip`. For a process that runs in a node of
 * the lab: its network namespace is what `LinuxKernel` takes for the host's.
 */

import { LinuxKernel } from "../../src/kernel/linux.ts";
import type { PeerEntry } from "../../src/netlink/forwarding.ts";
import { FILTER_TABLE, filterChain, HOST, type Place } from "../../src/plan/ops.ts";
import type { KernelWorld, LinkDrift } from "./contract/world.ts";

export class LinuxWorld implements KernelWorld, AsyncDisposable {
  readonly kernel: LinuxKernel;
  readonly netnsDir: string;
  readonly node: string;
  readonly #targetDir: string;

  constructor(node: string, dir: string, open = (netnsDir: string) => new LinuxKernel(netnsDir)) {
    this.node = node;
    this.netnsDir = `${dir}/netns`;
    this.#targetDir = `${dir}/targets`;
    Deno.mkdirSync(this.netnsDir);
    Deno.mkdirSync(this.#targetDir);
    this.kernel = open(this.netnsDir);
  }

  targetPath(name: string): string {
    return `${this.#targetDir}/${name}`;
  }

  addNetns(path: string): void {
    sh(`touch "$1"; unshare --net="$1" true`, path);
  }

  removeNetns(path: string): void {
    sh(`umount "$1" 2>/dev/null || true; rm "$1"`, path);
  }

  writeFile(path: string, text: string): void {
    Deno.writeTextFileSync(path, text);
  }

  addLink(place: Place, name: string, index?: number): void {
    const number = index === undefined ? [] : ["index", `${index}`];
    run(place, "ip", "link", "add", name, ...number, "type", "bridge");
  }

  addVxlan(name: string, port: number, vni: number | "external"): void {
    const which = vni === "external" ? ["external"] : ["id", `${vni}`];
    run(HOST, "ip", "link", "add", name, "type", "vxlan", ...which, "dstport", `${port}`);
    run(HOST, "ip", "link", "set", "dev", name, "up");
  }

  changeLink(place: Place, name: string, change: LinkDrift): void {
    const set = (...words: string[]) => run(place, "ip", "link", "set", "dev", name, ...words);
    if (change.mtu !== undefined) set("mtu", `${change.mtu}`);
    if (change.address !== undefined) set("address", change.address);
    if (change.alias !== undefined) set("alias", change.alias);
    if (change.leave) set("nomaster");
    if (change.up !== undefined) set(change.up ? "up" : "down");
    if (change.name !== undefined) set("name", change.name);
  }

  addAddress(device: string, prefix: string): void {
    run(HOST, "ip", "addr", "add", prefix, "dev", device, "nodad");
  }

  changeForwarding(place: Place, name: string, verb: "append" | "del", entry: PeerEntry): void {
    const via = entry.via === undefined ? [] : ["via", `if${entry.via}`];
    run(
      ...[place, "bridge", "fdb", verb, entry.mac, "dev", name, "dst", entry.dst] as const,
      ...via,
      ...["self", "permanent"],
    );
  }

  deleteLink(place: Place, name: string): void {
    run(place, "ip", "link", "del", "dev", name);
  }

  deleteFilters(place: Place): void {
    run(place, "nft", "delete", "table", "netdev", FILTER_TABLE);
  }

  emptyFilter(place: Place, port: string): void {
    run(place, "nft", "flush", "chain", "netdev", FILTER_TABLE, filterChain(port));
  }

  addressesOf(place: Place, name: string): string[] {
    const [link] = JSON.parse(run(place, "ip", "-j", "addr", "show", "dev", name));
    return link.addr_info.map(({ local, prefixlen }: { local: string; prefixlen: number }) => {
      return `${local}/${prefixlen}`;
    });
  }

  snapshot(places: readonly Place[]): string {
    const text = places.map((place) => run(place, "ip", "-d", "link") + run(place, "ip", "addr"));
    // Timers run, and addresses get past duplicate detection, whoever looks.
    return text.join().replaceAll(/ +\d+\.\d\d| tentative/g, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kernel.settled();
    this.kernel[Symbol.dispose]();
  }
}

function run(place: Place, ...args: readonly string[]): string {
  return output(place === HOST ? args : ["nsenter", `--net=${place}`, "--", ...args]);
}

function sh(script: string, ...args: readonly string[]): string {
  return output(["sh", "-euc", script, "sh", ...args]);
}

function output([command = "", ...args]: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(`"${[command, ...args].join(" ")}" failed: ${text.decode(stderr)}`);
}
