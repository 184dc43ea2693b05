/** What an IPAM plugin prints, in the form of whichever specification version it speaks. Pure. */

import { CniCode, type IpConfig, type RouteConfig } from "../api/agent_protocol.ts";
import { parseIp, parsePrefix } from "../base/ip.ts";
import { CniError } from "./cni_error.ts";
import { field, isObject, type JsonObject, parseJson } from "./json.ts";
import { decodeDns, type IpamResult } from "./result.ts";

/** RT_TABLE_MAIN, the only routing table routes are put in. */
const MAIN_TABLE = 254;

/**
 * Decodes the result of ADD, by its shape: `ips` and `routes` (0.3.0 and newer) or `ip4` and `ip6`
 * (0.2.0 and older). Throws `CniError` that names what is wrong with it.
 */
export function decodeIpamResult(text: string): IpamResult {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw wrong(`its result is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!isObject(value)) throw wrong("its result is not a JSON object");
  const dns = decodeDns(field(value, "dns"));
  const ips = list(value, "ips").map((ip) => decodeIp(ip, "address"));
  const routes = list(value, "routes").map(decodeRoute);
  for (const family of ["ip4", "ip6"]) {
    const old = field(value, family);
    if (old === undefined) continue;
    const ip = object(old, family);
    ips.push(decodeIp(ip, "ip"));
    routes.push(...list(ip, "routes").map(decodeRoute));
  }
  if (ips.length === 0) throw wrong("its result has no addresses");
  return { ips, routes, ...(dns === undefined ? {} : { dns }) };
}

/**
 * Routes as the kernel is told: one without `gw` goes by the gateway of its family's first address
 * that has one (CNI spec 1.1.0, section 5).
 */
export function routesToSet({ ips, routes }: IpamResult): RouteConfig[] {
  return routes.map((route) => {
    const v6 = route.dst.includes(":");
    const gw = route.gw ??
      ips.find((ip) => ip.address.includes(":") === v6 && ip.gateway !== undefined)?.gateway;
    return gw === undefined ? route : { ...route, gw };
  });
}

function decodeIp(value: unknown, key: "address" | "ip"): IpConfig {
  const entry = object(value, "ips");
  const address = prefix(entry, key);
  const gateway = ip(entry, "gateway");
  return gateway === undefined ? { address } : { address, gateway };
}

function decodeRoute(value: unknown): RouteConfig {
  const entry = object(value, "routes");
  const table = field(entry, "table");
  if (table !== undefined && table !== MAIN_TABLE) throw unsupported("table", table);
  for (const key of ["scope", "advmss"]) {
    const found = field(entry, key);
    if (found !== undefined && found !== 0) throw unsupported(key, found);
  }
  const gw = ip(entry, "gw");
  const mtu = count(entry, "mtu");
  const priority = count(entry, "priority");
  return {
    dst: prefix(entry, "dst"),
    ...(gw === undefined ? {} : { gw }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function prefix(entry: JsonObject, key: string): string {
  const value = field(entry, key);
  if (typeof value !== "string") throw wrong(`"${key}" is missing or not a string`);
  try {
    parsePrefix(value);
  } catch {
    throw wrong(`"${key}" is "${value}", expected an address with prefix length`);
  }
  return value;
}

function ip(entry: JsonObject, key: string): string | undefined {
  const value = field(entry, key);
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string") throw wrong(`"${key}" is not a string`);
  try {
    parseIp(value);
  } catch {
    throw wrong(`"${key}" is "${value}", expected an IP address`);
  }
  return value;
}

function count(entry: JsonObject, key: string): number | undefined {
  const value = field(entry, key);
  if (value === undefined || value === 0) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value < 2 ** 32) {
    return value;
  }
  throw wrong(`"${key}" of a route is not a positive number`);
}

function list(value: JsonObject, key: string): readonly unknown[] {
  const found = field(value, key);
  if (found === undefined) return [];
  if (Array.isArray(found)) return found;
  throw wrong(`"${key}" is not a list`);
}

function object(value: unknown, key: string): JsonObject {
  if (isObject(value)) return value;
  throw wrong(`"${key}" holds something that is not an object`);
}

function wrong(problem: string): CniError {
  return new CniError(CniCode.Decode, `IPAM plugin gave no usable addresses: ${problem}`);
}

function unsupported(key: string, value: unknown): CniError {
  return new CniError(
    CniCode.UnsupportedField,
    `Route with "${key}": ${JSON.stringify(value)} is not supported: take "${key}" out of the ` +
      "routes in ipam",
  );
}
