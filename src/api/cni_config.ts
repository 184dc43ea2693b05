/** What a CNI network configuration asks of the agent, with what came beside it in CNI_ARGS. */

import { z } from "zod";
import { K8slanError } from "../base/errors.ts";
import { formatMac, isUnicastMac, parseMac } from "../base/mac.ts";
import type { AttachKind } from "./agent_protocol.ts";
import { type CniArgs, parseCniArgs } from "./cni_args.ts";
import { describeIssues, type Issue, issuesOf, quote } from "./issues.ts";
import { shortLabel, text } from "./lan_spec.ts";
import { MTU_MAX, RESOURCE_PREFIX } from "./names.ts";

export interface AttachConfig {
  /** `name` of the network configuration. */
  readonly network: string;
  readonly lan?: { readonly namespace?: string; readonly name: string };
  /** The spoke named, or else the one that the pod's device stands for. */
  readonly spoke?: string;
  /** The device of `macvtap.k8slan.io/<spoke>` that the pod holds, as its runtime says. */
  readonly deviceId?: string;
  readonly attach: AttachKind;
  readonly mac?: string;
  readonly mtu?: number;
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid?: string };
  readonly hasIpam: boolean;
}

/** The least a Linux interface may have (ETH_MIN_MTU). Bytes. */
const INTERFACE_MTU_MIN = 68;

/**
 * Keys with which other plugins name an interface or a socket of the host. To ignore them would
 * leave the writer in the belief that they worked; to follow them would give the host away.
 */
const HOST_KEYS = ["master", "link", "veth", "device", "hostDevice", "socket"];
const HOST_KEY_MESSAGE = "is refused: no interface or socket of the host can be named here; " +
  'name a "lan" and a "spoke"';

const lanRef = text(
  /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/)?[a-z0-9]([a-z0-9-]{0,57}[a-z0-9])?$/,
  123,
  'must be the name of a LAN, or "namespace/name"',
);

/** Empty texts and nulls stand for nothing: runtimes written in Go print them. */
const maybeText = z.string().nullish();

/** Other keys are none of our business: capabilities, dns, prevResult, `cni.dev/…` and what others add. */
const configSchema = z.object({
  name: text(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/,
    253,
    'must be 1 to 253 letters, digits, "_", "." or "-", with a letter or digit first',
  ),
  lan: lanRef.exactOptional(),
  spoke: shortLabel.exactOptional(),
  attach: z.enum(["macvtap", "veth"]).exactOptional(),
  mac: maybeText,
  mtu: z.int().min(0).max(MTU_MAX).nullish(),
  ipam: z.object({ type: z.string().max(253).nullish() }).nullish(),
  deviceID: maybeText,
  pciBusID: maybeText,
  runtimeConfig: z.object({ mac: maybeText, deviceID: maybeText }).nullish(),
  args: z.object({ cni: z.object({ mac: maybeText }).nullish() }).nullish(),
});

type Config = z.output<typeof configSchema>;

/**
 * The attachment that `config` (as JSON gives it) and `cniArgs` ("K=V;K=V") ask for.
 *
 * Throws `K8slanError` "InvalidConfig" that names everything wrong. MAC: `args.cni`, before
 * `runtimeConfig`, before CNI_ARGS, before the configuration itself (CNI CONVENTIONS.md).
 */
export function parseAttachConfig(config: unknown, cniArgs: string): AttachConfig {
  const issues: Issue[] = hostKeyIssues(config);
  const args = parseCniArgs(cniArgs, issues);
  const parsed = configSchema.safeParse(config);
  if (!parsed.success) {
    issues.push(...issuesOf(parsed.error, config));
    throw invalid(issues);
  }
  const attachment = attachConfig(parsed.data, args, issues);
  if (issues.length > 0) throw invalid(issues);
  return attachment;
}

function attachConfig(config: Config, args: CniArgs, issues: Issue[]): AttachConfig {
  const deviceId = deviceOf(config, issues);
  const spoke = config.spoke ?? deviceId;
  const attach = config.attach ?? (spoke === undefined ? "veth" : "macvtap");
  const mac = macOf(config, args, issues);
  const mtu = config.mtu || undefined;
  checkTarget(config, spoke, attach, deviceId, issues);
  if (mtu !== undefined && mtu < INTERFACE_MTU_MIN) {
    issues.push({ path: "mtu", message: `must be at least ${INTERFACE_MTU_MIN}, found ${mtu}` });
  }
  return {
    network: config.name,
    ...(config.lan === undefined ? {} : { lan: lanOf(config.lan) }),
    ...(spoke === undefined ? {} : { spoke }),
    ...(deviceId === undefined ? {} : { deviceId }),
    attach,
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(args.pod === undefined ? {} : { pod: args.pod }),
    hasIpam: Boolean(config.ipam?.type),
  };
}

function checkTarget(
  config: Config,
  spoke: string | undefined,
  attach: AttachKind,
  deviceId: string | undefined,
  issues: Issue[],
): void {
  const request = `have the pod request ${RESOURCE_PREFIX}/<spoke>`;
  if (deviceId !== undefined && deviceId !== spoke) {
    issues.push({
      path: "deviceID",
      message: `${quote(deviceId)} is not the spoke ${quote(spoke)} that is named; ` +
        `have the pod request ${RESOURCE_PREFIX}/${spoke}`,
    });
  }
  if (spoke !== undefined) return;
  if (attach === "macvtap") {
    issues.push({ path: "spoke", message: `is required for a macvtap; name it, or ${request}` });
  } else if (config.lan === undefined) {
    issues.push({
      path: "",
      message: `names neither "lan" nor "spoke", and brings no device; name one, or ${request}`,
    });
  }
}

function lanOf(ref: string): { readonly namespace?: string; readonly name: string } {
  const slash = ref.indexOf("/");
  return slash < 0 ? { name: ref } : { namespace: ref.slice(0, slash), name: ref.slice(slash + 1) };
}

/** The device the runtime tells of, which may say so in three places. */
function deviceOf(config: Config, issues: Issue[]): string | undefined {
  const places: readonly (readonly [string, string | null | undefined])[] = [
    ["deviceID", config.deviceID],
    ["runtimeConfig.deviceID", config.runtimeConfig?.deviceID],
    ["pciBusID", config.pciBusID],
  ];
  const given = places.flatMap(([path, value]) => (value ? [{ path, value }] : []));
  const first = given[0];
  for (const { path, value } of given) {
    if (!shortLabel.safeParse(value).success) {
      const message = `${quote(value)} is no spoke; the network's resource must be ` +
        `${RESOURCE_PREFIX}/<spoke>`;
      issues.push({ path, message });
    } else if (first !== undefined && value !== first.value) {
      const message = `${quote(value)} differs from ${first.path} ${quote(first.value)}`;
      issues.push({ path, message });
    }
  }
  return first?.value;
}

function macOf(config: Config, args: CniArgs, issues: Issue[]): string | undefined {
  const places: readonly (readonly [string, string | null | undefined])[] = [
    ["args.cni.mac", config.args?.cni?.mac],
    ["runtimeConfig.mac", config.runtimeConfig?.mac],
    ["CNI_ARGS MAC", args.mac],
    ["mac", config.mac],
  ];
  let chosen: string | undefined;
  for (const [path, value] of places) {
    if (!value) continue;
    const mac = canonicalMac(value);
    if (mac === undefined) {
      const message = `must be a unicast Ethernet address like 02:00:5e:10:00:01, found ${
        quote(value)
      }`;
      issues.push({ path, message });
    }
    chosen ??= mac;
  }
  return chosen;
}

function canonicalMac(value: string): string | undefined {
  try {
    return isUnicastMac(value) ? formatMac(parseMac(value)) : undefined;
  } catch {
    return undefined;
  }
}

function hostKeyIssues(config: unknown): Issue[] {
  if (typeof config !== "object" || config === null) return [];
  return HOST_KEYS.filter((key) => Object.hasOwn(config, key))
    .map((path) => ({ path, message: HOST_KEY_MESSAGE }));
}

function invalid(issues: readonly Issue[]): K8slanError {
  return new K8slanError(
    "InvalidConfig",
    `Network configuration is not valid: ${describeIssues(issues)}`,
  );
}
