/** The schema of what the agent takes on its socket; the types stand in `agent_protocol.ts`. */

import { z } from "zod";
import { K8slanError } from "../base/errors.ts";
import type { AgentRequest } from "./agent_protocol.ts";
import { MAX_MESSAGE_BYTES } from "./names.ts";

const key = {
  // CNI specification 1.1.0, section 2 "Parameters"; the length keeps it within a link's alias.
  containerId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/).max(128),
  // dev_valid_name() of the kernel.
  ifname: z.string().regex(/^[^\s/:]+$/).min(1).max(15).refine((name) =>
    name !== "." && name !== ".." && !name.includes("%")
  ),
};
const netns = z.string().startsWith("/").max(4096).refine((path) => !path.includes("\0"));
const args = z.string().max(4096).exactOptional();
const config = z.unknown();
const text = z.string().max(256);

const requestSchema: z.ZodType<AgentRequest> = z.discriminatedUnion("op", [
  z.object({ op: z.literal("add"), ...key, netns, args, config }),
  z.object({ op: z.literal("del"), ...key, netns: z.string().max(4096).exactOptional() }),
  z.object({ op: z.literal("check"), ...key, netns, args, config }),
  z.object({
    op: z.literal("configure"),
    ...key,
    netns,
    ips: z.array(z.object({ address: text, gateway: text.exactOptional() })).max(64),
    routes: z.array(z.object({
      dst: text,
      gw: text.exactOptional(),
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
]);

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
  const [issue] = parsed.error.issues;
  throw new K8slanError(
    "InvalidRequest",
    `The request is not understood: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}
