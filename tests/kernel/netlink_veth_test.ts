/** Veth pairs, and changes to links: made by the real kernel, read back by our decoder and, as a witness apart from it, by `ip`. */

import assert from "node:assert/strict";
import {
  changeLink,
  createLink,
  deleteLink,
  type LinkChange,
} from "../../src/netlink/link_request.ts";
import { BRIDGE, createSpoke, HOST_MAC, MTU, PORT_MAC } from "../support/scratch_links.ts";
import { kernelTest, pick, readLink, refusal, scratchNetns } from "../support/scratch_netns.ts";

kernelTest("createLink() bears a veth with its peer in another namespace in one message", () => {
  using scratch = scratchNetns("host", "lan");
  const [host, lan] = [scratch.get("host"), scratch.get("lan")];
  host.client.execute([createSpoke(lan)]);

  const near = readLink(host, { name: "pod1" });
  const far = readLink(lan, { name: "pod1.b" });
  const common = {
    mtu: MTU,
    arp: true,
    running: false,
    allMulticast: false,
    attrs: { kind: "veth" },
  };
  const { linkNetnsId: lanId, ...nearRest } = near;
  const { linkNetnsId: hostId, ...farRest } = far;
  assert.deepEqual(nearRest, {
    ...common,
    index: near.index,
    name: "pod1",
    address: HOST_MAC,
    up: true,
    link: far.index,
  });
  assert.deepEqual(farRest, {
    ...common,
    index: far.index,
    name: "pod1.b",
    address: PORT_MAC,
    up: false,
    link: near.index,
  });
  assert.deepEqual(pick(host.link("pod1"), "address", "mtu", "link_index", "link_netnsid"), {
    address: HOST_MAC,
    mtu: MTU,
    link_index: far.index,
    link_netnsid: lanId,
  });
  assert.deepEqual(pick(lan.link("pod1.b"), "address", "mtu", "link_index", "link_netnsid"), {
    address: PORT_MAC,
    mtu: MTU,
    link_index: near.index,
    link_netnsid: hostId,
  });
  // NET_ADDR_SET: udev leaves such an address alone.
  const script = "mount -t sysfs sysfs /sys && cat /sys/class/net/pod1/addr_assign_type";
  const type = host.run("unshare", "--mount", "sh", "-c", script);
  assert.equal(type.trim(), "3");

  host.client.execute([deleteLink({ index: near.index })]);
  assert.equal(refusal(() => readLink(lan, { name: "pod1.b" })).errnoName, "ENODEV");
});

kernelTest("changeLink() changes flags, MTU, address, alias and bridge", () => {
  using scratch = scratchNetns("host", "lan");
  const [host, lan] = [scratch.get("host"), scratch.get("lan")];
  host.client.execute([createSpoke(lan)]);
  lan.client.execute([createLink({ name: "lan222", attrs: BRIDGE })]);
  const bridge = readLink(lan, { name: "lan222" });

  const change: LinkChange = {
    up: true,
    arp: false,
    allMulticast: true,
    mtu: 1400,
    address: "02:00:00:00:04:03",
    alias: "k8slan pod1 é",
  };
  lan.client.execute([changeLink({ name: "pod1.b" }, { ...change, master: bridge.index })]);
  const port = readLink(lan, { name: "pod1.b" });
  const { up, arp, allMulticast, mtu, address, alias, master } = port;
  assert.deepEqual({ up, arp, allMulticast, mtu, address, alias }, change);
  assert.equal(master, bridge.index);
  const witness = lan.link("pod1.b");
  assert.deepEqual(pick(witness, "mtu", "address", "ifalias", "master"), {
    mtu: 1400,
    address: "02:00:00:00:04:03",
    ifalias: "k8slan pod1 é",
    master: "lan222",
  });
  const flags = Object(witness).flags as string[];
  for (const flag of ["UP", "NOARP", "ALLMULTI"]) assert.ok(flags.includes(flag), flag);
  assert.deepEqual(lan.witness("bridge", "link").map((entry) => pick(entry, "ifname", "master")), [
    { ifname: "pod1.b", master: "lan222" },
  ]);

  const back: LinkChange = { up: false, arp: true, allMulticast: false, alias: "", master: 0 };
  lan.client.execute([changeLink({ index: port.index }, back)]);
  const after = readLink(lan, { index: port.index });
  assert.deepEqual([after.up, after.arp, after.allMulticast], [false, true, false]);
  assert.equal(after.alias, undefined);
  assert.equal(after.master, undefined);
  assert.equal(after.mtu, 1400);
  assert.deepEqual(lan.witness("bridge", "link"), []);
});
