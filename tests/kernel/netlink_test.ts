/** The netlink client, addresses, routes and namespace ids against the real kernel. */

import assert from "node:assert/strict";
import {
  decodeAddress,
  decodeGroup,
  dumpAddresses,
  dumpGroups,
  setAddress,
} from "../../src/netlink/address.ts";
import { decodeLink } from "../../src/netlink/link_info.ts";
import { changeLink, createLink, deleteLink, dumpLinks } from "../../src/netlink/link_request.ts";
import {
  assignNamespaceId,
  decodeNamespaceId,
  getNamespaceId,
} from "../../src/netlink/namespace_id.ts";
import { type Route, setRoute } from "../../src/netlink/route.ts";
import { rootTest } from "../support/netns_lab.ts";
import { BRIDGE, createSpoke } from "../support/scratch_links.ts";
import {
  kernelTest,
  pick,
  readLink,
  refusal,
  type ScratchNetns,
  scratchNetns,
} from "../support/scratch_netns.ts";
import { until } from "../support/until.ts";

/** Link `net1`, up and with a carrier. */
function addLink(pod: ScratchNetns): number {
  pod.client.execute([
    createLink({ name: "net1", up: true, attrs: { kind: "veth", peer: { name: "wire" } } }),
    changeLink({ name: "wire" }, { up: true }),
    changeLink({ name: "lo" }, { up: true }),
  ]);
  return readLink(pod, { name: "net1" }).index;
}

kernelTest("dumpAddresses() and dumpGroups() ask the kernel for one link alone", async () => {
  using scratch = scratchNetns("pod");
  const pod = scratch.get("pod");
  const index = addLink(pod);
  const lo = readLink(pod, { name: "lo" }).index;
  pod.client.execute([setAddress(index, { address: "2001:db8::7", length: 64 })]);
  const links = (list: readonly { readonly index: number }[]) =>
    new Set(list.map((one) => one.index));
  const all = links(pod.client.dump(dumpAddresses("ipv6"), decodeAddress));
  assert.ok(all.has(index) && all.has(lo));
  const some = pod.client.dump(dumpAddresses("ipv6", index), decodeAddress);
  assert.deepEqual(links(some), new Set([index]));
  // The kernel joins the group of an address on a thread of its own, a little later.
  const groups = await until("the group of the address", () => {
    const found = pod.client.dump(dumpGroups(index), decodeGroup);
    return found.some(({ group }) => group === "ff02::1:ff00:7") && found;
  });
  assert.deepEqual(links(groups), new Set([index]));
});

kernelTest("setAddress() sets addresses that can be used at once, any number of times", () => {
  using scratch = scratchNetns("pod");
  const pod = scratch.get("pod");
  const index = addLink(pod);
  const wanted = [
    { address: "192.0.2.7", length: 24 },
    { address: "2001:db8::7", length: 64 },
  ] as const;
  for (let round = 0; round < 2; round++) {
    pod.client.execute(wanted.map((prefix) => setAddress(index, prefix)));
  }
  const found = pod.client.dump(dumpAddresses(), decodeAddress)
    .filter((entry) => entry.index === index && !entry.address.startsWith("fe80:"));
  const settled = {
    ...{ index, tentative: false, duplicate: false },
    ...{ deprecated: false, temporary: false, permanent: true },
  };
  assert.deepEqual(found, wanted.map((prefix) => ({ ...settled, ...prefix })));

  const [entry] = pod.witness("ip", "addr", "show", "dev", "net1", "scope", "global");
  const addresses = Object(entry).addr_info as readonly unknown[];
  const global = addresses.filter((info) => pick(info, "scope").scope === "global");
  assert.deepEqual(global.map((info) => pick(info, "family", "local", "prefixlen")), [
    { family: "inet", local: "192.0.2.7", prefixlen: 24 },
    { family: "inet6", local: "2001:db8::7", prefixlen: 64 },
  ]);
  const families = (["ipv4", "ipv6"] as const).map((family) =>
    pod.client.dump(dumpAddresses(family), decodeAddress).map(({ address }) => address)
  );
  assert.ok(families[0]!.includes("192.0.2.7") && families[1]!.includes("2001:db8::7"));
  assert.ok(!families[0]!.includes("2001:db8::7") && !families[1]!.includes("192.0.2.7"));
});

kernelTest("decodeAddress() tells an address that duplicate detection still works on", async () => {
  using scratch = scratchNetns("pod");
  const pod = scratch.get("pod");
  // Probes a second, so many that it goes on for as long as the test.
  pod.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=20");
  const index = addLink(pod);
  // The link has the address once the kernel has noticed its carrier.
  const linkLocal = await until("an address", () => {
    return pod.client.dump(dumpAddresses("ipv6"), decodeAddress)
      .find((entry) => entry.index === index);
  });
  const [entry] = pod.witness("ip", "-6", "addr", "show", "dev", "net1");
  const [witness] = Object(entry).addr_info;
  assert.equal(linkLocal?.address, witness.local);
  assert.equal(linkLocal?.tentative, true);
  assert.equal(witness.tentative, true);
});

kernelTest("setRoute() sets routes of both families, any number of times", () => {
  using scratch = scratchNetns("pod");
  const pod = scratch.get("pod");
  const index = addLink(pod);
  pod.client.execute([
    setAddress(index, { address: "192.0.2.7", length: 24 }),
    setAddress(index, { address: "2001:db8::7", length: 64 }),
  ]);
  const routes: readonly Route[] = [
    { dst: "0.0.0.0/0", gateway: "192.0.2.1" },
    { dst: "198.51.100.0/24", gateway: "192.0.2.1", priority: 100, mtu: 1300 },
    { dst: "203.0.113.0/24" },
    { dst: "::/0", gateway: "2001:db8::1" },
    { dst: "2001:db8:1::/48", gateway: "2001:db8::1", priority: 100, mtu: 1300 },
    { dst: "2001:db8:2::/48" },
  ];
  for (let round = 0; round < 2; round++) {
    pod.client.execute(routes.map((route) => setRoute(index, route)));
  }
  const listed = (family: string) =>
    pod.witness("ip", family, "route", "show", "proto", "static")
      .map((entry) => {
        const [metrics] = Object(entry).metrics ?? [];
        const { dst, gateway, dev, metric } = Object(entry);
        return [dst, gateway, dev, metric, metrics?.mtu];
      });
  assert.deepEqual(listed("-4"), [
    ["default", "192.0.2.1", "net1", undefined, undefined],
    ["198.51.100.0/24", "192.0.2.1", "net1", 100, 1300],
    ["203.0.113.0/24", undefined, "net1", undefined, undefined],
  ]);
  assert.deepEqual(listed("-6"), [
    ["2001:db8:1::/48", "2001:db8::1", "net1", 100, 1300],
    ["2001:db8:2::/48", undefined, "net1", 1024, undefined],
    ["default", "2001:db8::1", "net1", 1024, undefined],
  ]);

  const unreachable = setRoute(index, { dst: "0.0.0.0/0", gateway: "10.0.0.1" });
  assert.deepEqual(refusal(() => pod.client.execute([unreachable])), {
    errnoName: "ENETUNREACH",
    kernelText: "Nexthop has invalid gateway",
    requestIndex: 0,
  });
});

kernelTest("assignNamespaceId() gives a namespace an id, once", () => {
  using scratch = scratchNetns("host", "lan", "pod");
  const [host, lan, pod] = [scratch.get("host"), scratch.get("lan"), scratch.get("pod")];
  const idOf = ({ netns }: ScratchNetns) =>
    host.client.get(getNamespaceId(netns.number), decodeNamespaceId);
  assert.equal(idOf(lan), undefined);
  host.client.execute([assignNamespaceId(lan.netns.number), assignNamespaceId(pod.netns.number)]);
  assert.deepEqual([idOf(lan), idOf(pod)], [0, 1]);
  assert.match(host.run("ip", "netns", "list-id"), /^nsid 0 *\nnsid 1 *\n$/);
  const again = () => host.client.execute([assignNamespaceId(lan.netns.number)]);
  assert.equal(refusal(again).errnoName, "EEXIST");
  // A veth into the namespace is reported with the same id.
  host.client.execute([createSpoke(pod)]);
  assert.equal(readLink(host, { name: "pod1" }).linkNetnsId, 1);
});

kernelTest("NetlinkClient.execute() carries out 70 requests around one that fails", () => {
  using scratch = scratchNetns("lan");
  const lan = scratch.get("lan");
  const requests = Array.from(
    { length: 70 },
    (_, at) => createLink({ name: at === 66 ? "br0" : `br${at}`, attrs: BRIDGE }),
  );
  assert.deepEqual(refusal(() => lan.client.execute(requests)), {
    errnoName: "EEXIST",
    kernelText: undefined,
    requestIndex: 66,
  });
  // Far more than one datagram holds.
  const links = lan.client.dump(dumpLinks("bridge"), decodeLink);
  assert.equal(links.length, 69);
  assert.ok(links.every(({ attrs }) => attrs.kind === "bridge"));
  assert.deepEqual(
    lan.client.dump(dumpLinks(), decodeLink).map(({ index, name }) => [index, name]),
    lan.witness("ip", "link", "show").map(({ ifindex, ifname }) => [ifindex, ifname]),
  );
});

kernelTest("decodeLink() names the kind of links that are not ours", () => {
  using scratch = scratchNetns("pod");
  const pod = scratch.get("pod");
  const lo = readLink(pod, { name: "lo" });
  assert.deepEqual(lo, {
    index: 1,
    name: "lo",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: 65536,
    address: "00:00:00:00:00:00",
    attrs: { kind: "other", name: "" },
  });
  pod.run("ip", "tuntap", "add", "dev", "tun0", "mode", "tap");
  assert.deepEqual(readLink(pod, { name: "tun0" }).attrs, { kind: "other", name: "tun" });
});

rootTest("NetlinkClient.executeInBackground() removes a link", async () => {
  using scratch = scratchNetns("host", "lan");
  const [host, lan] = [scratch.get("host"), scratch.get("lan")];
  host.client.execute([createSpoke(lan)]);
  await host.client.executeInBackground(deleteLink({ name: "pod1" }));
  assert.equal(refusal(() => readLink(lan, { name: "pod1.b" })).errnoName, "ENODEV");
  await assert.rejects(
    host.client.executeInBackground(deleteLink({ name: "pod1" })),
    { name: "NetlinkError", message: 'Cannot delete link "pod1": ENODEV' },
  );
});
