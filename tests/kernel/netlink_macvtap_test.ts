/** Macvtaps: made by the real kernel, read back by our decoder and, as a witness apart from it, by `ip`. */

import assert from "node:assert/strict";
import { changeLink, createLink, deleteLink } from "../../src/netlink/link_request.ts";
import { MACVLAN_MODE_PASSTHRU } from "../../src/netlink/wire/constants.ts";
import { createSpoke, HOST_MAC, MTU } from "../support/scratch_links.ts";
import { kernelTest, pick, readLink, refusal, scratchNetns } from "../support/scratch_netns.ts";

/** /dev/tapN is shared by the whole machine, so no other run may take these at the same time. */
const TAP_INDEX = 2 ** 20 + (Deno.pid % 2 ** 20) * 16;

kernelTest("createLink() makes a macvtap in another namespace with the index asked for", () => {
  using scratch = scratchNetns("host", "lan", "pod");
  const [host, lan, pod] = [scratch.get("host"), scratch.get("lan"), scratch.get("pod")];
  host.client.execute([createSpoke(lan), createSpoke(lan, "pod2")]);
  const lower = readLink(host, { name: "pod1" });
  const other = readLink(host, { name: "pod2" });
  const create = (name: string, index: number, link = lower.index) => () =>
    host.client.execute([
      createLink({
        name,
        index,
        link,
        address: "02:00:00:00:05:01",
        netnsFd: pod.netns.number,
        attrs: { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU },
      }),
    ]);
  create("net1", TAP_INDEX)();

  const { linkNetnsId, ...tap } = readLink(pod, { name: "net1" });
  assert.deepEqual(tap, {
    index: TAP_INDEX,
    name: "net1",
    up: false,
    running: false,
    arp: true,
    allMulticast: false,
    mtu: MTU,
    // Under passthru the kernel takes the address of the link below, whatever was asked for.
    address: HOST_MAC,
    link: lower.index,
    attrs: { kind: "macvtap", mode: MACVLAN_MODE_PASSTHRU },
  });
  assert.deepEqual(
    pick(pod.link("net1"), "ifindex", "link_index", "link_netnsid", "linkinfo.info_data.mode"),
    { ifindex: TAP_INDEX, link_index: lower.index, link_netnsid: linkNetnsId, mode: "passthru" },
  );

  const address = "02:00:00:00:05:01";
  pod.client.execute([changeLink({ index: TAP_INDEX }, { address, allMulticast: true, up: true })]);
  const changed = readLink(pod, { index: TAP_INDEX });
  assert.deepEqual([changed.address, changed.allMulticast, changed.up], [address, true, true]);
  assert.equal(readLink(host, { name: "pod1" }).address, address, "the link below follows");

  const refused: readonly (readonly [() => void, string])[] = [
    [create("net2", TAP_INDEX + 1), "EINVAL"], // one for each link below
    [create("net1", TAP_INDEX + 1, other.index), "EEXIST"],
    [create("net2", TAP_INDEX, other.index), "EEXIST"],
  ];
  for (const [again, errno] of refused) assert.equal(refusal(again).errnoName, errno);

  host.client.execute([deleteLink({ index: lower.index })]);
  assert.equal(refusal(() => readLink(pod, { name: "net1" })).errnoName, "ENODEV");
});
