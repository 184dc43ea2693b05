/** Does this machine have what LANs are made of? */

import { rootTest } from "./netns_lab.ts";

/** A test that makes LANs; left out, with the reason printed, where the machine cannot have any. */
export function lanTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const missing = Deno.uid() === 0 ? missingFeature() : undefined;
  if (missing === undefined) return rootTest(name, fn);
  // deno-lint-ignore no-console -- a test left out must say why
  console.log(`"${name}" is left out: ${missing}`);
  Deno.test({ name, ignore: true, fn });
}

/** Far from every index a link gets by itself or from us: /dev/tapN is the whole machine's. */
const TAP_INDEX = 2 ** 31 - 2;

const LINKS: Readonly<Record<string, string>> = {
  bridge: "ip link add name br type bridge",
  veth: "ip link add name one type veth peer name two",
  vxlan: "ip link add name vx type vxlan id 1 dstport 4789 group ff02::14 dev lo",
  macvtap: "ip link add name one type veth peer name two; " +
    `ip link add name tap index ${TAP_INDEX} link one type macvtap mode passthru`,
};

let known: { readonly missing: string | undefined } | undefined;

function missingFeature(): string | undefined {
  known ??= { missing: findMissing() };
  return known.missing;
}

function findMissing(): string | undefined {
  if (!succeeds("unshare --net --mount true")) return "it may not make namespaces";
  for (const [kind, script] of Object.entries(LINKS)) {
    if (!succeeds(`unshare --net sh -euc '${script}'`)) return `the kernel makes no ${kind} links`;
  }
  if (!succeeds("grep -q '^[^ ]* /dev devtmpfs ' /proc/mounts")) {
    return "/dev is no devtmpfs, so that the kernel makes no /dev/tapN in it";
  }
  return undefined;
}

function succeeds(script: string): boolean {
  const { success } = new Deno.Command("sh", { args: ["-c", script], stdin: "null" }).outputSync();
  return success;
}
