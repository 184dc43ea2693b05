/** VXLAN devices and their forwarding tables: made by the real kernel, read back by our decoder and, as a witness apart from it, by `ip`. */

import assert from "node:assert/strict";
import {
  appendForwarding,
  decodeForwarding,
  deleteForwarding,
  dumpForwarding,
} from "../../src/netlink/forwarding.ts";
import { UNKNOWN_MAC } from "../../src/base/mac.ts";
import type { VxlanAttrs } from "../../src/netlink/link/vxlan.ts";
import { changeLink, createLink, deleteLink } from "../../src/netlink/link_request.ts";
import { addUnderlay, MTU } from "../support/scratch_links.ts";
import {
  kernelTest,
  pick,
  readLink,
  refusal,
  type ScratchNetns,
  scratchNetns,
} from "../support/scratch_netns.ts";

kernelTest("createLink() of a VXLAN in another namespace keeps its underlay", () => {
  using scratch = scratchNetns("host", "lan", "other");
  const [host, lan, other] = [scratch.get("host"), scratch.get("lan"), scratch.get("other")];
  const underlay = addUnderlay(host);
  const attrs: VxlanAttrs = {
    kind: "vxlan",
    vni: 222,
    group: "ff05::14",
    underlayIndex: underlay.index,
    port: 4790,
    hopLimit: 5,
    learning: true,
    ageingSeconds: 300,
  };
  const address = "02:00:00:00:03:01";
  const create = (name: string, netns: ScratchNetns, vxlan: VxlanAttrs) =>
    createLink({ name, mtu: MTU, address, netnsFd: netns.netns.number, attrs: vxlan });
  host.client.execute([create("vx222", lan, attrs)]);
  lan.client.execute([changeLink({ name: "vx222" }, { up: true })]);

  const link = readLink(lan, { name: "vx222" });
  assert.deepEqual([link.attrs, link.mtu, link.address, link.up], [attrs, MTU, address, true]);
  const data = ["id", "group6", "port", "learning", "ttl", "ageing"]
    .map((key) => `linkinfo.info_data.${key}`);
  assert.deepEqual(pick(lan.link("vx222"), "mtu", "address", ...data), {
    mtu: MTU,
    address,
    id: 222,
    group6: "ff05::14",
    port: 4790,
    learning: true,
    ttl: 5,
    ageing: 300,
  });
  // Socket and group membership are where it was made, not where it lives.
  assert.match(host.run("cat", "/proc/net/udp6"), /:12B6 /);
  assert.doesNotMatch(lan.run("cat", "/proc/net/udp6"), /:12B6 /);
  const [groups] = host.witness("ip", "maddr", "show", "dev", "eth1");
  assert.ok(JSON.stringify(groups).includes('"ff05::14"'));

  // The node has one table of VNIs for a port, whatever the namespace.
  assert.deepEqual(refusal(() => host.client.execute([create("vx222", other, attrs)])), {
    errnoName: "EEXIST",
    kernelText: "A VXLAN device with the specified VNI already exists",
    requestIndex: 0,
  });
  const tooLarge = { ...attrs, vni: 1 << 24 };
  assert.deepEqual(refusal(() => host.client.execute([create("vx", other, tooLarge)])), {
    errnoName: "ERANGE",
    kernelText: "VXLAN ID must be lower than 16777216",
    requestIndex: 0,
  });

  host.client.execute([deleteLink({ index: underlay.index })]);
  assert.equal(refusal(() => readLink(lan, { name: "vx222" })).errnoName, "ENODEV");
});

kernelTest("appendForwarding() gives a VXLAN several peers for unknown addresses", () => {
  using scratch = scratchNetns("host", "lan");
  const [host, lan] = [scratch.get("host"), scratch.get("lan")];
  const attrs: VxlanAttrs = {
    kind: "vxlan",
    vni: 223,
    group: "::",
    underlayIndex: addUnderlay(host).index,
    port: 4791,
    hopLimit: 5,
    learning: true,
    ageingSeconds: 300,
  };
  host.client.execute([createLink({ name: "vx223", netnsFd: lan.netns.number, attrs })]);
  const link = readLink(lan, { name: "vx223" });
  const { group: _, ...reported } = attrs;
  assert.deepEqual(link.attrs, reported, "the kernel reports no group that is all zero");

  const entries = () =>
    lan.client.dump(dumpForwarding(), decodeForwarding)
      .filter(({ index, mac }) => index === link.index && mac === UNKNOWN_MAC);
  const witness = () =>
    lan.witness("bridge", "fdb", "show", "dev", "vx223")
      .filter(({ mac }) => mac === UNKNOWN_MAC)
      .map((entry) => pick(entry, "dst", "state", "flags"));
  const peers = ["2001:db8::a", "2001:db8::b"];
  lan.client.execute(
    peers.map((peer) => appendForwarding(link.index, { mac: UNKNOWN_MAC, dst: peer })),
  );
  const common = { index: link.index, mac: UNKNOWN_MAC, permanent: true, self: true };
  assert.deepEqual(entries(), peers.map((dst) => ({ ...common, dst })));
  assert.deepEqual(
    witness(),
    peers.map((dst) => ({ dst, state: "permanent", flags: ["self"] })),
  );

  // A second time is no error, and takes no other peer.
  for (let round = 0; round < 2; round++) {
    lan.client.execute([deleteForwarding(link.index, { mac: UNKNOWN_MAC, dst: peers[0]! })]);
    assert.deepEqual(entries().map(({ dst }) => dst), [peers[1]]);
    assert.deepEqual(witness().map(({ dst }) => dst), [peers[1]]);
  }

  // Without the group it is one for IPv4.
  const { group: _group, ...ipv4 } = { ...attrs, vni: 224 };
  host.client.execute([createLink({ name: "vx224", netnsFd: lan.netns.number, attrs: ipv4 })]);
  const { index } = readLink(lan, { name: "vx224" });
  lan.client.execute([appendForwarding(index, { mac: UNKNOWN_MAC, dst: "192.0.2.9" })]);
  const foreign = () =>
    lan.client.execute([appendForwarding(index, { mac: UNKNOWN_MAC, dst: peers[0]! })]);
  assert.equal(refusal(foreign).errnoName, "EAFNOSUPPORT");
});
