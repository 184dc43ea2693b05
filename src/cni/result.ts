/** The Success object on stdout, in the form of each specification version. Pure. */

import { CniCode, type IpConfig, type RouteConfig } from "../api/agent_protocol.ts";
import { CniError } from "./cni_error.ts";
import { atLeast, type SpecVersion } from "./config.ts";
import { field, isObject, type JsonObject } from "./json.ts";

/** DNS settings, as the network configuration, IPAM plugins and results all have them. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What an IPAM plugin handed out. */
export interface IpamResult {
  readonly ips: readonly IpConfig[];
  readonly routes: readonly RouteConfig[];
  readonly dns?: Dns;
}

export interface ResultInput {
  readonly version: SpecVersion;
  readonly ifname: string;
  /** CNI_NETNS as given: the runtime compares it. */
  readonly netns: string;
  readonly mac: string;
  readonly mtu: number;
  readonly ipam?: IpamResult;
  /** The configuration's own, which wins over IPAM's. */
  readonly dns?: Dns;
  /** `prevResult`, if the plugin stands in a chain. */
  readonly previous?: JsonObject;
}

/** The result of ADD: what was there before in the chain, and after it what we made. */
export function cniResult(input: ResultInput): JsonObject {
  const { version, ipam } = input;
  const earlier = (key: string) => {
    const list = input.previous === undefined ? undefined : field(input.previous, key);
    return Array.isArray(list) ? list : [];
  };
  const interfaces = earlier("interfaces");
  const index = interfaces.length;
  const ips = [...earlier("ips"), ...ipam?.ips.map((ip) => ipEntry(version, index, ip)) ?? []];
  const routes = [
    ...earlier("routes"),
    ...ipam?.routes.map((route) => routeEntry(version, route)) ?? [],
  ];
  const dns = input.dns ?? ipam?.dns ??
    (input.previous === undefined ? undefined : field(input.previous, "dns"));
  return {
    cniVersion: version,
    interfaces: [...interfaces, interfaceEntry(input)],
    ...(ips.length === 0 ? {} : { ips }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(dns === undefined ? {} : { dns }),
  };
}

function interfaceEntry({ version, ifname, netns, mac, mtu }: ResultInput): JsonObject {
  const entry = { name: ifname, mac, sandbox: netns };
  return atLeast(version, "1.1.0") ? { ...entry, mtu } : entry;
}

function ipEntry(version: SpecVersion, index: number, ip: IpConfig): JsonObject {
  const entry = { interface: index, ...ip };
  if (atLeast(version, "1.0.0")) return entry;
  return { version: ip.address.includes(":") ? "6" : "4", ...entry };
}

function routeEntry(version: SpecVersion, route: RouteConfig): JsonObject {
  if (atLeast(version, "1.1.0")) return { ...route };
  const { dst, gw } = route;
  return gw === undefined ? { dst } : { dst, gw };
}

/** A `dns` object; undefined if absent or empty. Throws `CniError` 7 that names the key. */
export function decodeDns(value: unknown): Dns | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw new CniError(CniCode.InvalidConfig, "dns is not an object");
  const domain = field(value, "domain");
  if (domain !== undefined && typeof domain !== "string") {
    throw new CniError(CniCode.InvalidConfig, "dns.domain is not a string");
  }
  const dns = {
    ...stringList(value, "nameservers"),
    ...(domain ? { domain } : {}),
    ...stringList(value, "search"),
    ...stringList(value, "options"),
  };
  return Object.keys(dns).length === 0 ? undefined : dns;
}

function stringList(dns: JsonObject, key: string): { [key: string]: readonly string[] } {
  const list = field(dns, key);
  if (list === undefined) return {};
  if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
    throw new CniError(CniCode.InvalidConfig, `dns.${key} is not a list of strings`);
  }
  return list.length === 0 ? {} : { [key]: list };
}
