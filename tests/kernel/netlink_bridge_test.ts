/** Bridges and their ports: made by the real kernel, read back by our decoder and, as a witness apart from it, by `ip`. */

import assert from "node:assert/strict";
import type { BridgeAttrs } from "../../src/netlink/link/bridge.ts";
import {
  changeBridge,
  changeBridgePort,
  changeLink,
  createLink,
  deleteLink,
} from "../../src/netlink/link_request.ts";
import { BRIDGE, createSpoke, MTU } from "../support/scratch_links.ts";
import { kernelTest, pick, readLink, refusal, scratchNetns } from "../support/scratch_netns.ts";

kernelTest("createLink() makes a bridge that changeBridge() and deleteLink() work on", () => {
  using scratch = scratchNetns("lan");
  const lan = scratch.get("lan");
  const address = "02:00:00:00:02:01";
  lan.client.execute([createLink({ name: "lan222", mtu: MTU, address, attrs: BRIDGE })]);

  const { index, ...rest } = readLink(lan, { name: "lan222" });
  assert.deepEqual(rest, {
    name: "lan222",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: MTU,
    address,
    attrs: BRIDGE,
  });
  const data = ["stp_state", "mcast_snooping", "ageing_time"]
    .map((key) => `linkinfo.info_data.${key}`);
  assert.deepEqual(
    pick(lan.link("lan222"), "ifindex", "mtu", "address", "linkinfo.info_kind", ...data),
    {
      ifindex: index,
      mtu: MTU,
      address,
      info_kind: "bridge",
      stp_state: 0,
      mcast_snooping: 0,
      ageing_time: 30000,
    },
  );

  const changed: BridgeAttrs = {
    kind: "bridge",
    stp: true,
    multicastSnooping: true,
    ageingSeconds: 20,
  };
  lan.client.execute([changeBridge({ index }, changed)]);
  assert.deepEqual(readLink(lan, { index }).attrs, changed);
  assert.deepEqual(pick(lan.link("lan222"), ...data), {
    stp_state: 1,
    mcast_snooping: 1,
    ageing_time: 2000,
  });

  lan.client.execute([deleteLink({ index })]);
  assert.equal(refusal(() => readLink(lan, { index })).errnoName, "ENODEV");
  const again = () => lan.client.execute([deleteLink({ name: "lan222" })]);
  assert.equal(refusal(again).errnoName, "ENODEV");
});

kernelTest("changeBridgePort() may forward all reserved addresses but pause", () => {
  using scratch = scratchNetns("host", "lan");
  const [host, lan] = [scratch.get("host"), scratch.get("lan")];
  host.client.execute([createSpoke(lan)]);
  lan.client.execute([createLink({ name: "lan222", attrs: BRIDGE })]);
  const { index: master } = readLink(lan, { name: "lan222" });
  const set = (groupForwardMask: number) => () =>
    lan.client.execute([changeBridgePort({ name: "pod1.b" }, { groupForwardMask })]);

  assert.equal(refusal(set(0xfffd)).errnoName, "EOPNOTSUPP", "not a port yet");
  lan.client.execute([changeLink({ name: "pod1.b" }, { master })]);
  set(0xfffd)();
  assert.deepEqual(readLink(lan, { name: "pod1.b" }).port, { groupForwardMask: 0xfffd });
  const mask = "linkinfo.info_slave_data.group_fwd_mask";
  assert.deepEqual(pick(lan.link("pod1.b"), "linkinfo.info_slave_kind", mask), {
    info_slave_kind: "bridge",
    group_fwd_mask: "0xfffd",
  });

  // The kernel has no words for this one.
  assert.deepEqual(refusal(set(0xffff)), {
    errnoName: "EINVAL",
    kernelText: undefined,
    requestIndex: 0,
  });
  assert.deepEqual(readLink(lan, { name: "pod1.b" }).port, { groupForwardMask: 0xfffd });
});

kernelTest("createLink() is refused for a name or index that is taken", () => {
  using scratch = scratchNetns("lan");
  const lan = scratch.get("lan");
  const create = (name: string, index: number) => () =>
    lan.client.execute([createLink({ name, index, attrs: BRIDGE })]);
  create("lan222", 50)();
  for (const again of [create("lan222", 51), create("lan222", 50), create("lan333", 50)]) {
    assert.equal(refusal(again).errnoName, "EEXIST");
  }
});
