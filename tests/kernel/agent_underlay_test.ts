/** What becomes of a LAN's underlay: told while it lasts, and LANs work again after. */

import { DriftStage, type Meanwhile } from "../support/drift_stage.ts";
import { rootTest } from "../support/netns_lab.ts";

interface UnderlayDrift {
  /** What happened. */
  readonly name: string;
  /** A shell command in the node's namespace. */
  readonly cause: string;
  readonly meanwhile: Meanwhile;
}

/** As the lab made it, so that the picture is the same again. */
const MAKE_UNDERLAY = "ip link add eth1 address $mac type veth peer name worker1 netns $fabric; " +
  "nsenter --net=$fabric ip link set worker1 master fabric up; ip link set eth1 up";

const UNDERLAY: readonly UnderlayDrift[] = [
  {
    name: "is deleted and made anew",
    cause: "ip link del eth1",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      differs: [/^- \/lans\/knlvrf\/links\/vx2/],
      end: MAKE_UNDERLAY,
    },
  },
  {
    name: "is down and up",
    cause: "ip link set eth1 down",
    meanwhile: { reasons: ["UnderlayDown"], end: "ip link set eth1 up" },
  },
  {
    name: "loses its carrier",
    cause: "nsenter --net=$fabric ip link set worker1 down",
    meanwhile: {
      reasons: ["UnderlayDown"],
      end: "nsenter --net=$fabric ip link set worker1 up",
    },
  },
  {
    name: "is renamed and gets its name back",
    cause: "ip link set eth1 down; ip link set eth1 name away up",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      end: "ip link set away down; ip link set away name eth1 up",
    },
  },
  {
    name: "gets a smaller MTU and the old one",
    cause: "ip link set eth1 mtu 1400",
    meanwhile: {
      reasons: ["AttachmentMtuTooLarge"],
      differs: [
        /^\+ \/lans\/knlvrf\/links\/vx2\/mtu: 1326$/,
        /^\+ \/lans\/knlvrf\/links\/br2\/mtu: 1326$/,
      ],
      end: "ip link set eth1 mtu 1500",
    },
  },
  {
    name: "gets an MTU too small for IPv6 and the old one",
    cause: "ip link set eth1 mtu 1200",
    meanwhile: {
      reasons: ["UnderlayMtuTooSmall"],
      differs: [/^- \/host\/groups\//],
      end: "ip link set eth1 mtu 1500",
    },
  },
  {
    name: "has IPv6 switched off and on",
    cause: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1",
    meanwhile: {
      reasons: ["Ipv6Off"],
      end: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=0",
    },
  },
  {
    name: "loses its link-local address",
    cause: "ip -6 addr flush dev eth1 scope link",
    meanwhile: { reasons: ["NoIpv6Source"], end: "ip -6 addr add $linklocal/64 dev eth1" },
  },
];

for (const { name, cause, meanwhile } of UNDERLAY) {
  rootTest(`Reconciler tells when the underlay ${name}, and LANs work again after`, async () => {
    await using stage = await DriftStage.prepare();
    await stage.shell(cause);
    await stage.tells(meanwhile);
    await stage.shell(meanwhile.end);
    await stage.healed();
  });
}

rootTest("Reconciler moves a LAN to another underlay when its device map says so", async () => {
  await using stage = await DriftStage.prepare();
  await stage.shell(
    "ip link add eth2 type veth peer name second netns $fabric;" +
      "nsenter --net=$fabric ip link set second master fabric up; ip link set eth2 up",
  );
  await stage.moveTo("eth2");
  await stage.moveTo("eth1");
  await stage.shell("ip link del eth2");
  await stage.healed(({ host, lans, workloads }) => ({ host, lans, workloads }));
});
