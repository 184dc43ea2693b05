/** Everything that a node has of LANs, as plain data to compare: links, addresses, settings, files. */

import type { AgentNode, Workload } from "./agent_lab.ts";
import { runProgram } from "./lab_process.ts";

export interface NodePicture {
  /** The namespace of the node itself. */
  readonly host: NetnsPicture;
  /** Namespaces of LANs, by name. */
  readonly lans: Readonly<Record<string, NetnsPicture>>;
  /** By name; null when it is gone. */
  readonly workloads: Readonly<Record<string, NetnsPicture | null>>;
  /** Mode and owner of the device nodes that the workloads' macvtaps have. */
  readonly taps: Readonly<Record<string, string>>;
  /** Path below the node's directory → kind, mode and, where it is small, content. */
  readonly files: Readonly<Record<string, string>>;
}

export interface NetnsPicture {
  /** By name: what `ip -d -j addr` says, apart from numbers that the kernel chooses. */
  readonly links: Readonly<Record<string, unknown>>;
  /** IPv6 and source address settings of each link. */
  readonly settings: readonly string[];
  /** Multicast groups that are not the stack's own, with their number of users. */
  readonly groups: readonly string[];
  /** Rules of nftables, without what they counted. */
  readonly rules: readonly string[];
}

/** What is there now of the node and of these workloads. */
export async function takePicture(
  node: AgentNode,
  workloads: readonly Workload[] = [],
): Promise<NodePicture> {
  const lans = await mountedIn(node.netnsDir);
  const [host, lanPictures, workloadPictures] = await Promise.all([
    netnsPicture(node.host.netns),
    Promise.all(lans.map(async (name) => [name, await netnsPicture(`${node.netnsDir}/${name}`)])),
    Promise.all(workloads.map(async ({ name, netns }) => [
      name,
      await exists(netns) ? await netnsPicture(netns) : null,
    ])),
  ]);
  const pictures: Record<string, NetnsPicture | null> = Object.fromEntries(workloadPictures);
  return {
    host,
    lans: Object.fromEntries(lanPictures),
    workloads: pictures,
    taps: Object.fromEntries(Object.values(pictures).flatMap(tapNodes)),
    files: Object.fromEntries(await files(node.host.dir, "")),
  };
}

/**
 * Within so much the kernel has cleaned up after a namespace that is gone, which it does some time
 * later, one after the other. Milliseconds.
 */
export const NETNS_GONE_MS = 20_000;

/**
 * Waits until a picture, or a part of one, is `expected` or one of several. Throws with the
 * difference to the most similar when none is within `timeout` milliseconds. Returns how long that
 * took, and which it was.
 */
export async function untilPicture(
  what: string,
  take: () => Promise<object>,
  expected: object | readonly object[],
  timeout = 10_000,
): Promise<{ readonly milliseconds: number; readonly at: number }> {
  const all: readonly object[] = Array.isArray(expected) ? expected : [expected];
  const texts = all.map((picture) => JSON.stringify(picture));
  const started = performance.now();
  for (;;) {
    const begun = performance.now();
    const found = await attempt(take);
    const at = texts.indexOf(JSON.stringify(found));
    if (at >= 0) return { milliseconds: performance.now() - started, at };
    if (begun < started + timeout) continue;
    if (found instanceof Error) throw found;
    throw new Error(`Not within ${timeout} ms: ${what}; ${differences(found, all)}`);
  }
}

function differences(found: object, expected: readonly object[]): string {
  const lines = expected.map((one) => differingLines(found, one));
  const shortest = lines.reduce((a, b) => a.length <= b.length ? a : b);
  return `- is expected, + is there:\n${shortest.join("\n")}`;
}

/** The leaves in which two pictures differ, as `- a.b.c: value` and `+ a.b.c: value`. */
export function differingLines(found: object, expected: object): string[] {
  const [there, wanted] = [leaves(found, ""), leaves(expected, "")];
  return [
    ...[...wanted].filter((line) => !there.has(line)).map((line) => `- ${line}`),
    ...[...there].filter((line) => !wanted.has(line)).map((line) => `+ ${line}`),
  ];
}

function leaves(value: unknown, path: string): Set<string> {
  if (Object(value) !== value) return new Set([`${path}: ${value}`]);
  const entries: readonly [string, unknown][] = Array.isArray(value)
    ? value.map((item) => ["", item])
    : Object.entries(Object(value));
  return new Set(entries.flatMap(([key, item]) => [...leaves(item, `${path}/${key}`)]));
}

/** A namespace can go while it is looked at. */
async function attempt(take: () => Promise<object>): Promise<object> {
  try {
    return await take();
  } catch (error) {
    return new Error("Cannot take a picture", { cause: error });
  }
}

const LOOK = [
  "ip -d -j addr",
  "echo @",
  "grep -H . /proc/sys/net/ipv6/conf/*/disable_ipv6 /proc/sys/net/ipv4/conf/*/rp_filter",
  "echo @",
  // All nodes, solicited nodes and the like come and go with addresses.
  "grep -v -e ' ff0100000000000000000000000000' -e ' ff020000000000000000000000000001 '" +
  " -e ' ff0200000000000000000001ff' -e ' ff02000000000000000000000000006a '" +
  " -e ' ff020000000000000000000000000002 ' /proc/net/igmp6 || true",
  "echo @",
  // Not everywhere where pictures are taken.
  "! command -v nft >/dev/null || nft --stateless list ruleset",
].join("; ");

async function netnsPicture(path: string): Promise<NetnsPicture> {
  const output = await runProgram(["nsenter", `--net=${path}`, "--", "sh", "-c", LOOK]);
  const [links = "", settings = "", groups = "", rules = ""] = output.split("@\n");
  const described: readonly Described[] = JSON.parse(links);
  return {
    links: Object.fromEntries(
      described.map((link) => [link.ifname, withoutChance(link)] as const)
        .sort(([a], [b]) => a < b ? -1 : 1),
    ),
    settings: settings.trim().split("\n").map((line) => line.replace("/proc/sys/net/", "")).sort(),
    groups: groups.trim().split("\n").filter(Boolean).map((line) => {
      const [, device, group, users] = line.trim().split(/\s+/);
      return `${device} ${group} ${users}`;
    }).sort(),
    rules: rules.trim().split("\n").filter(Boolean).map((line) => line.trim()).sort(),
  };
}

interface Described {
  readonly ifname: string;
  readonly [key: string]: unknown;
}

/** From here on the product chooses indexes itself. */
const FIRST_OWN_INDEX = 2 ** 20;

/** Keys whose values the kernel counts up or down, or changes some time later. */
const CHANCE = new Set([
  "operstate",
  ...["link_netnsid", "gc_timer", "hello_timer", "tcn_timer", "topology_change_timer"],
  ...["message_age_timer", "forward_delay_timer", "hold_timer", "no", "id", "port_id"],
  ...["designated_port", "valid_life_time", "preferred_life_time", "usedbcqueuelen"],
]);

function withoutChance(link: Described): unknown {
  const isVxlan = Object(link["linkinfo"])["info_kind"] === "vxlan";
  return JSON.parse(JSON.stringify(link, (key, value) => {
    // The underlay's, looked up in the wrong namespace, and what the VXLAN has because of it.
    if (isVxlan && ["link", "link_index", "ifindex"].includes(key)) return undefined;
    // A VNI; that of a bridge port is a text.
    if (key === "id" && typeof value === "number") return value;
    if (CHANCE.has(key)) return undefined;
    // A passthru macvtap that is deleted leaves its lower link's count as it is.
    if (key === "allmulti") return value > 0;
    const isIndex = key === "ifindex" || key === "link_index";
    return isIndex && Number(value) < FIRST_OWN_INDEX ? undefined : value;
  }));
}

function tapNodes(picture: NetnsPicture | null): [string, string][] {
  return Object.values(picture?.links ?? {}).flatMap((link) => {
    const { ifindex, linkinfo } = Object(link);
    if (Object(linkinfo)["info_kind"] !== "macvtap") return [];
    const path = `/dev/tap${ifindex}`;
    return [[path, ownership(path)]];
  });
}

function ownership(path: string): string {
  try {
    const { mode, uid, gid } = Deno.lstatSync(path);
    return `${((mode ?? 0) & 0o7777).toString(8)} ${uid}:${gid}`;
  } catch {
    return "missing";
  }
}

async function mountedIn(dir: string): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${dir}/`))
    .map((path) => path.slice(dir.length + 1))
    .sort();
}

/** Content of more than this is left out. Bytes. */
const CONTENT_MAX = 4096;

async function files(dir: string, below: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const entries = await Array.fromAsync(Deno.readDir(`${dir}${below}`));
  for (const { name } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${below}/${name}`;
    const info = await Deno.lstat(`${dir}${path}`);
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    if (info.isDirectory) found.push([path, `directory ${mode}`], ...await files(dir, path));
    else if (!info.isFile) found.push([path, `${info.isSocket ? "socket" : "other"} ${mode}`]);
    else found.push([path, `file ${mode} ${await content(`${dir}${path}`, info)}`]);
  }
  return found;
}

async function content(path: string, { size }: Deno.FileInfo): Promise<string> {
  if (size > CONTENT_MAX) return `${size} bytes`;
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // EINVAL is how a namespace bound to a file answers.
    if (error instanceof TypeError) return "is a namespace";
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
