/** The schema of what the agent takes on its socket; the types stand in `agent_protocol.ts`. */

import { z } from "zod";
import { K8slanError } from "../base/errors.ts";
import { parseIp, parsePrefix } from "../base/ip.ts";
import type { AgentRequest } from "./agent_protocol.ts";
import { describeIssues, issuesOf } from "./issues.ts";
import { MAX_MESSAGE_BYTES } from "./names.ts";

/** IFNAMSIZ less the byte that ends the name. */
const IFNAME_BYTES_MAX = 15;

const CONTAINER_EXPECTED =
  'must be 1 to 128 letters, digits, "_", "." or "-", with a letter or digit first';
const IFNAME_EXPECTED =
  `must be the name of a network interface: 1 to ${IFNAME_BYTES_MAX} bytes without spaces, "/", ":" or "%"`;
const PREFIX_EXPECTED = "must be an address with the length of its prefix, such as 192.0.2.7/24";
const ADDRESS_EXPECTED = "must be an IP address";

const key = {
  // CNI specification 1.1.0, section 2 "Parameters"; the length keeps it within a link's alias.
  containerId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, CONTAINER_EXPECTED),
  // dev_valid_name() of the kernel, which counts bytes; "%" is where it would put a number.
  ifname: z.string().regex(/^[^\s/:%\p{C}]+$/u, IFNAME_EXPECTED).refine(
    (name) =>
      name !== "." && name !== ".." && new TextEncoder().encode(name).length <= IFNAME_BYTES_MAX,
    IFNAME_EXPECTED,
  ),
};
const path = z.string().max(4096).regex(/^[^\0]*$/, "must not contain a NUL");
const netns = path.startsWith("/", "must be an absolute path");
const args = z.string().max(4096).exactOptional();
const config = z.unknown();
const prefix = z.string().max(64).refine(is(parsePrefix), PREFIX_EXPECTED);
const address = z.string().max(64).refine(is(parseIp), ADDRESS_EXPECTED);

/** Does `parse` take the text? */
function is(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}

const requestSchema: z.ZodType<AgentRequest> = z.discriminatedUnion("op", [
  z.object({ op: z.literal("add"), ...key, netns, args, config }),
  z.object({ op: z.literal("del"), ...key, netns: path.exactOptional() }),
  z.object({ op: z.literal("check"), ...key, netns, args, config }),
  z.object({
    op: z.literal("configure"),
    ...key,
    netns,
    ips: z.array(z.object({ address: prefix, gateway: address.exactOptional() })).max(64),
    routes: z.array(z.object({
      dst: prefix,
      gw: address.exactOptional(),
      mtu: z.int().min(0).max(65_535).exactOptional(),
      priority: z.int().min(0).max(0xffff_ffff).exactOptional(),
    })).max(1024),
  }),
  z.object({
    op: z.literal("gc"),
    network: z.string().max(1024),
    valid: z.array(z.object(key)).max(65_536),
  }),
  z.object({ op: z.literal("ready") }),
  z.object({ op: z.literal("view") }),
], {
  error: ({ code }) => code === "invalid_union" ? "is not a known operation" : undefined,
});

/** The request in one line of JSON. Throws `K8slanError` "InvalidRequest" naming what is wrong. */
export function parseAgentRequest(line: string): AgentRequest {
  if (line.length > MAX_MESSAGE_BYTES) {
    throw new K8slanError(
      "InvalidRequest",
      `The request is longer than ${MAX_MESSAGE_BYTES} bytes`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new K8slanError("InvalidRequest", "The request is not JSON", { cause });
  }
  const parsed = requestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new K8slanError(
    "InvalidRequest",
    `The request is not understood: ${describeIssues(issuesOf(parsed.error, value))}`,
  );
}
