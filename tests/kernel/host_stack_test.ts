/** A LAN's frames pass the host, whose own network stack neither hears nor answers them. */

import assert from "node:assert/strict";
import { type AgentLab, type AgentNode, createAgentLab, seedLan } from "../support/agent_lab.ts";
import { differences, sentinel } from "../support/frame_kinds.ts";
import { lanTest } from "../support/lan_features.ts";
import {
  ARP,
  arp,
  ARP_REQUEST,
  BROADCAST,
  type Bytes,
  bytes,
  ECHO_REQUEST,
  ECHO_REQUEST_V6,
  icmp,
  icmpv6,
  IPV4,
  ipv4,
  MULTICAST_LISTENER_QUERY,
  neighbourSolicitation,
  readEthernet,
  ROUTER_ADVERTISEMENT,
  type Station as Party,
  u16,
} from "../support/packets.ts";
import { parseIp } from "../../src/base/ip.ts";
import { FrameSocket } from "../support/raw_frames.ts";
import { settled } from "../support/settled.ts";
import {
  attachStation,
  disposeAll,
  pass,
  type Station,
  untilAllHear,
  untilHeard,
} from "../support/stations.ts";

const LAN = "k8slan-system/lan-test";
/** Longer than stacks wait before they answer a query or say that they are there. Milliseconds. */
const WINDOW = 1_500;
const ALL_NODES = { mac: "33:33:00:00:00:01", ip: "ff02::1" };
const ALL_HOSTS = { mac: "01:00:5e:00:00:01", ip: "224.0.0.1" };

lanTest(
  "a macvtap is attached in silence: nothing is sent by it, the host or the LAN",
  async () => {
    await using lab = await createAgentLab({ nodes: 2 });
    await lab.putLan(seedLan(lab));
    const listeners = await Promise.all([
      attachStation(lab, "worker1", "near", { lan: LAN, spoke: "pod1" }),
      attachStation(lab, "worker2", "far", { lan: LAN, spoke: "pod2" }),
    ]);
    using _listeners = disposeAll(listeners);
    using late = await attachStation(lab, "worker1", "late", { lan: LAN, spoke: "pod3" });
    const heard = await Promise.all(listeners.map(({ wire }) => heardIn(WINDOW, wire)));
    assert.deepEqual(heard, [[], []]);
    for (const listener of listeners) await untilHeard(late, listener);
  },
);

/** Everything that comes in so many milliseconds, as hexadecimal text. */
async function heardIn(window: number, wire: FrameSocket): Promise<string[]> {
  return (await wire.takeUntil(() => false, window)).map((frame) => frame.toHex());
}

/** What the host of worker1 has; a LAN uses the same networks. */
const HOST_IP = "192.0.2.1";
const HOST_LOOPBACK_IP = "10.9.0.200";

lanTest("a host's own stack stays off its LANs, however open its settings are", async (t) => {
  await using lab = await createAgentLab({ nodes: 2 });
  const host = lab.node("worker1");
  await openUp(host);
  await lab.putLan(seedLan(lab));
  const stations = await Promise.all([
    attachStation(lab, "worker1", "guest", { lan: LAN, spoke: "pod1" }),
    attachStation(lab, "worker2", "prober", { lan: LAN, spoke: "pod2" }),
  ]);
  using _stations = disposeAll(stations);
  const [guest, prober] = stations as [Station, Station];
  await untilAllHear(stations);
  const before = await settled(() => hostState(host));

  await t.step("nothing is answered at the host's end", async () => {
    using port = new FrameSocket(`${host.netnsDir}/knlvrf`, "pod1.b");
    using underlay = new FrameSocket(host.host.netns, "eth1", { outgoing: true });
    for (const probe of await probes(lab, guest, prober)) prober.wire.send(probe);
    assert.deepEqual(await heardIn(WINDOW, port), []);
    // An answer could also leave by the host's own way to the sender's address.
    const v4 = underlay.take().filter((frame) => [ARP, IPV4].includes(readEthernet(frame).type));
    assert.deepEqual(v4.map((frame) => frame.toHex()), []);
    const own = [sentinel(guest.mac)];
    assert.deepEqual(differences(own, await pass(guest.wire, port, own)), []);
  });

  await t.step("no address, route or neighbour is learned", async () => {
    assert.deepEqual(await hostState(host), before);
  });

  await t.step("the guest has got all of it", () => {
    const heard = guest.wire.take();
    assert.ok(heard.some((frame) => frame.toHex().endsWith(PREFIX_OPTION.toHex())));
  });
});

/** Every setting that keeps a stack quiet by default is turned the other way. */
async function openUp(host: AgentNode): Promise<void> {
  await host.host.run([
    "sh",
    "-euc",
    [
      `ip addr add ${HOST_IP}/24 dev eth1`,
      `ip addr add ${HOST_LOOPBACK_IP}/32 dev lo`,
      "ip route add default via 192.0.2.254",
      "cd /proc/sys/net",
      ...["all", "default"].flatMap((name) => [
        `echo 2 >ipv6/conf/${name}/accept_ra`,
        `echo 1 >ipv6/conf/${name}/forwarding`,
        `echo 1 >ipv4/conf/${name}/forwarding`,
        `echo 0 >ipv4/conf/${name}/rp_filter`,
        `echo 0 >ipv4/conf/${name}/arp_ignore`,
        `echo 1 >ipv4/conf/${name}/arp_accept`,
        `echo 1 >ipv4/conf/${name}/proxy_arp`,
      ]),
      "echo 0 >ipv4/icmp_echo_ignore_broadcasts",
    ].join("\n"),
  ]);
}

const PREFIX_OPTION = bytes(
  [3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  parseIp("2001:db8:bad::"),
);

/** Whatever makes a host speak that believes to be on this segment. */
async function probes(lab: AgentLab, guest: Station, prober: Station): Promise<Bytes[]> {
  const host = lab.node("worker1").host;
  const linkLocal = await host.linkLocal("eth1");
  const hostEnd = (await host.links()).find(({ ifname }) => ifname === "pod1")!;
  const v4 = { mac: prober.mac, ip: "10.9.0.2" };
  const v6 = { mac: prober.mac, ip: "fe80::2" };
  const eui64 = parseMacAsEui64(hostEnd.address!);
  const targets: Party[] = [HOST_IP, HOST_LOOPBACK_IP].flatMap((ip) => [
    ...[hostEnd.address!, guest.mac, BROADCAST].map((mac) => ({ mac, ip })),
  ]);
  const echo = bytes(u16(1), u16(1), new Uint8Array(32));
  const noAddress = { mac: prober.mac, ip: "0.0.0.0" };
  return [
    ...[HOST_IP, HOST_LOOPBACK_IP, "10.9.0.77", "192.0.2.254"].flatMap((ip) => [
      arp(ARP_REQUEST, v4, { mac: BROADCAST, ip }),
      arp(ARP_REQUEST, noAddress, { mac: BROADCAST, ip }),
      arp(ARP_REQUEST, { ...v4, ip: "192.0.2.9" }, { mac: BROADCAST, ip }),
    ]),
    arp(ARP_REQUEST, v4, { mac: BROADCAST, ip: v4.ip }),
    ...targets.map((target) => icmp(v4, target, ECHO_REQUEST, echo)),
    icmp(v4, ALL_HOSTS, ECHO_REQUEST, echo),
    icmp(v4, { mac: BROADCAST, ip: "255.255.255.255" }, ECHO_REQUEST, echo),
    ipv4({ ...v4, ip: "0.0.0.0" }, ALL_HOSTS, 2, bytes([0x11, 1, 0xee, 0xfe, 0, 0, 0, 0])),
    neighbourSolicitation(v6, linkLocal),
    neighbourSolicitation(v6, eui64),
    icmpv6(v6, ALL_NODES, ECHO_REQUEST_V6, echo),
    icmpv6(v6, ALL_NODES, MULTICAST_LISTENER_QUERY, new Uint8Array(20)),
    icmpv6(
      v6,
      ALL_NODES,
      ROUTER_ADVERTISEMENT,
      bytes([64, 0, 0xff, 0xff], new Uint8Array(8), PREFIX_OPTION),
    ),
  ];
}

/** The link-local address that follows from an Ethernet address (RFC 4291, appendix A). */
function parseMacAsEui64(mac: string): string {
  const [a = "", b, c, d, e, f] = mac.split(":");
  const first = (parseInt(a, 16) ^ 2).toString(16);
  return `fe80::${first}${b}:${c}ff:fe${d}:${e}${f}`;
}

/** What a host could learn from a LAN. */
async function hostState(host: AgentNode) {
  const lines = async (...args: string[]) =>
    (await host.host.run(["ip", ...args])).split("\n").map((line) => line.trim()).filter((line) =>
      !/valid_lft/.test(line)
    );
  return {
    addresses: await lines("addr", "show", "dev", "pod1"),
    routes: [...await lines("route"), ...await lines("-6", "route")],
    neighbours: await lines("neigh", "show", "dev", "pod1"),
  };
}
