/** The namespace of a LAN as a file: made so that a crash at any point leaves something known. */

import { changeLink } from "../netlink/link_request.ts";
import { NetlinkClient } from "../netlink/client.ts";
import { parseMark } from "../plan/mark.ts";
import type { OpenTransport } from "./places.ts";
import { createNetns } from "../sys/netns.ts";
import { writeLinkSysctl } from "../sys/sysctl.ts";

/**
 * Makes the namespace with its loopback up and marked, IPv6 off for every link born in it, and binds
 * it to `path`. The file beneath the mount holds the mark, so that one left unfinished is known too.
 */
export function createLanNetns(path: string, mark: string, open: OpenTransport): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  Deno.writeTextFileSync(temporary, `${mark}\n`, { createNew: true, mode: 0o600 });
  Deno.renameSync(temporary, path);
  createNetns(path, () => {
    writeLinkSysctl("ipv6", "default", "disable_ipv6", 1);
    writeLinkSysctl("ipv6", "all", "disable_ipv6", 1);
    using client = new NetlinkClient(open());
    client.execute([changeLink({ name: "lo" }, { up: true, alias: mark })]);
  });
}

/** Is the plain file at `path` one that `createLanNetns` did not get to write or to bind? */
export function isUnfinishedNetns(path: string): boolean {
  const { isFile, size } = Deno.lstatSync(path);
  if (!isFile || size >= 1024) return false;
  if (size === 0) return TEMPORARY.test(path);
  return parseMark(Deno.readTextFileSync(path).trimEnd()) !== undefined;
}

/** Ends with a UUID; names of LANs' namespaces have no dot. */
const TEMPORARY = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
