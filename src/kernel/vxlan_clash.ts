/** Whose VXLAN is in the way: VNI and port are unique over all namespaces that share an underlay. */

import { describe, K8slanError } from "../base/errors.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { decodeLink } from "../netlink/link_info.ts";
import { dumpLinks } from "../netlink/link_request.ts";
import { deviceText, makerOf } from "../plan/foreign_vxlan.ts";
import { parseMark } from "../plan/mark.ts";
import { HOST, type NetOp, type Place } from "../plan/ops.ts";
import { openNetns } from "../sys/netns.ts";
import { isOverIpv6 } from "./foreign_vxlans.ts";
import { openPlace } from "./places.ts";

/** Where other programs keep namespaces by name (iproute2, container runtimes). */
const NETNS_DIRECTORIES = ["/run/netns", "/run/docker/netns"];

/**
 * The error for a VXLAN that the kernel refused: it names the device that has the VNI or owns the
 * UDP port. Undefined when the refusal is about something else.
 */
export function vxlanClash(
  error: unknown,
  ops: readonly NetOp[],
  netnsDir: string,
): K8slanError | undefined {
  const wanted = ops.find((op) => op.op === "create-vxlan");
  if (!(error instanceof NetlinkError) || wanted === undefined) return undefined;
  const byVni = error.errnoName === "EEXIST" && error.message.includes(`vxlan "${wanted.name}"`);
  const byPort = error.errnoName === "EADDRINUSE";
  if (!byVni && !byPort) return undefined;
  const holder = findHolder(wanted.vni, wanted.port, byPort, netnsDir);
  const taken = byVni ? `VNI ${wanted.vni} on UDP port ${wanted.port}` : `UDP port ${wanted.port}`;
  const field = byVni ? "spec.vni" : "spec.vxlanPort";
  return new K8slanError(
    byVni ? "VniClash" : "PortClash",
    `${taken} is in use on this node${holder === undefined ? "" : ` by ${holder.text}`}; ${
      holder?.isOfProgram === true
        ? `leave that device alone, delete the LAN and create it with another ${field}`
        : `give the LAN another ${field} or ${
          holder === undefined ? "stop what uses it" : "remove that device"
        }`
    }`,
    { cause: error, retriable: true },
  );
}

interface Holder {
  readonly text: string;
  /** Whether it is known to be a device of another program, and so to be needed. */
  readonly isOfProgram: boolean;
}

function findHolder(
  vni: number,
  port: number,
  byPort: boolean,
  netnsDir: string,
): Holder | undefined {
  for (const place of namespacePlaces(netnsDir)) {
    try {
      using opened = openPlace(place);
      for (const { name, up, alias, attrs } of opened.client.dump(dumpLinks("vxlan"), decodeLink)) {
        // One of IPv4 alone is in nobody's way, and one that is down holds no port.
        if (attrs.kind !== "vxlan" || attrs.port !== port || !isOverIpv6(attrs)) continue;
        if (byPort ? attrs.alone !== true || !up : attrs.vni !== vni) continue;
        const mark = parseMark(alias);
        const who = mark === undefined ? deviceText(name) : `"${name}" of LAN with UID ${mark.lan}`;
        return {
          text: `VXLAN device ${who} in ${placeText(place)}`,
          isOfProgram: mark === undefined && makerOf(name) !== undefined,
        };
      }
    } catch {
      // Gone meanwhile, or not ours to look into: the search is for the message only.
    }
  }
  return undefined;
}

/** The host's namespace, named ones, and those of running processes, each once. */
function* namespacePlaces(netnsDir: string): Generator<Place> {
  const seen = new Set<string>();
  yield HOST;
  for (const path of [...namedNamespaces(netnsDir), ...processNamespaces()]) {
    try {
      using netns = openNetns(path);
      if (seen.has(netns.identity)) continue;
      seen.add(netns.identity);
    } catch {
      continue;
    }
    yield path;
  }
}

function* namedNamespaces(netnsDir: string): Generator<string> {
  for (const directory of [netnsDir, ...NETNS_DIRECTORIES]) {
    for (const { name } of entries(directory)) yield `${directory}/${name}`;
  }
}

function* processNamespaces(): Generator<string> {
  for (const { name } of entries("/proc")) {
    if (/^\d+$/.test(name)) yield `/proc/${name}/ns/net`;
  }
}

function* entries(directory: string): Generator<Deno.DirEntry> {
  try {
    yield* Deno.readDirSync(directory);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw new Error(describe(error));
  }
}

function placeText(place: Place): string {
  if (place === HOST) return "the host's network namespace";
  const process = /^\/proc\/(\d+)\//.exec(place);
  return process === null
    ? `network namespace "${place}"`
    : `the network namespace of process ${process[1]}`;
}
