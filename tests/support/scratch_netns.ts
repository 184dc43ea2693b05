/** Fresh network namespaces for one test, with our client in each and `ip` as witness beside it. */

import { NetlinkClient } from "../../src/netlink/client.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import { decodeLink, type LinkInfo } from "../../src/netlink/link_info.ts";
import { getLink, type LinkRef } from "../../src/netlink/link_request.ts";
import { openNetlinkSocket } from "../../src/sys/netlink_socket.ts";
import { createNetns, type Netns, openNetns, removeNetns, withNetns } from "../../src/sys/netns.ts";
import { rootTest } from "./netns_lab.ts";

/** Makes a namespace for each name, in a directory of their own; all of it goes with the result. */
export function scratchNetns<Name extends string>(...names: readonly Name[]): Scratch<Name> {
  // The name is a lab's: the next lab removes what a killed run left behind.
  const dir = Deno.makeTempDirSync({ prefix: `k8slan-lab.${Deno.pid}.` });
  const scratch = new Scratch<Name>(dir);
  try {
    for (const name of names) scratch.add(name);
    return scratch;
  } catch (error) {
    scratch[Symbol.dispose]();
    throw error;
  }
}

export class Scratch<Name extends string> implements Disposable {
  readonly #dir: string;
  readonly #netns = new Map<string, ScratchNetns>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  add(name: Name): void {
    const path = `${this.#dir}/${name}`;
    Deno.writeTextFileSync(path, "");
    createNetns(path, () => {});
    this.#netns.set(name, new ScratchNetns(path));
  }

  get(name: Name): ScratchNetns {
    const found = this.#netns.get(name);
    if (found === undefined) throw new Error(`There is no namespace "${name}"`);
    return found;
  }

  [Symbol.dispose](): void {
    for (const netns of this.#netns.values()) netns[Symbol.dispose]();
    for (const { name } of [...Deno.readDirSync(this.#dir)]) removeNetns(`${this.#dir}/${name}`);
    Deno.removeSync(this.#dir);
  }
}

export class ScratchNetns implements Disposable {
  readonly path: string;
  readonly netns: Netns;
  /** Works in this namespace wherever it is called from. */
  readonly client: NetlinkClient;

  constructor(path: string) {
    this.path = path;
    this.netns = openNetns(path);
    this.client = new NetlinkClient(withNetns(this.netns, openNetlinkSocket));
  }

  /** Output of a program that runs in this namespace. Throws with its words unless it exits with 0. */
  run(...args: readonly string[]): string {
    const { success, stdout, stderr } = new Deno.Command("nsenter", {
      args: [`--net=${this.path}`, "--", ...args],
      stdin: "null",
    }).outputSync();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(`"${args.join(" ")}" failed: ${text(stderr)}${text(stdout)}`);
    return text(stdout);
  }

  /** What `ip -d -j` or `bridge -d -j` prints, one object an entry. */
  witness(program: "ip" | "bridge", ...args: readonly string[]): readonly WitnessEntry[] {
    return JSON.parse(this.run(program, "-d", "-j", ...args));
  }

  /** The one link `ip -d -j link show dev NAME` prints. */
  link(name: string): WitnessEntry {
    return this.witness("ip", "link", "show", "dev", name)[0] ?? {};
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
    this.netns[Symbol.dispose]();
  }
}

export type WitnessEntry = Readonly<Record<string, unknown>>;

/** A test with scratch namespaces: left out, with the reason printed, when not root. */
export function kernelTest(name: string, run: () => void | Promise<void>): void {
  rootTest(name, async () => await run());
}

/** One link as our decoder reads it. Throws `NetlinkError` when it is not there. */
export function readLink(netns: ScratchNetns, ref: LinkRef): LinkInfo {
  return netns.client.get(getLink(ref), decodeLink);
}

/** The fields of `entry` at `paths` ("linkinfo.info_data.id"), by the last word of each path. */
export function pick(entry: unknown, ...paths: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(paths.map((path) => {
    const words = path.split(".");
    return [words.at(-1), words.reduce((value, word) => Object(value)[word], entry)];
  }));
}

export interface Refusal {
  readonly errnoName: string;
  readonly kernelText: string | undefined;
  readonly requestIndex: number;
}

/** The `NetlinkError` that `run` throws, as plain data. Throws when it throws none. */
export function refusal(run: () => unknown): Refusal {
  try {
    run();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const { errnoName, kernelText, requestIndex } = error;
    return { errnoName, kernelText, requestIndex };
  }
  throw new Error("The kernel did not refuse");
}
