/** What becomes of a LAN's underlay: told while it lasts, and LANs work again after. */

import { type AgentNode, createAgentLab } from "../support/agent_lab.ts";
import { DriftStage, type Meanwhile, type StageUnderlay } from "../support/drift_stage.ts";
import { rootTest } from "../support/netns_lab.ts";
import { until } from "../support/until.ts";

interface UnderlayDrift {
  /** What happened. */
  readonly name: string;
  /** A shell command in the node's namespace. */
  readonly cause: string;
  readonly meanwhile: Meanwhile;
  /** If it is not `eth1` itself. */
  readonly underlay?: StageUnderlay;
  /** Tried with a unicast underlay too, where it is the same. */
  readonly unicast?: true;
}

/** Plays a VLAN's interface, by name and in what becomes of it, where the kernel has no VLANs. */
const MACVLAN: StageUnderlay = {
  device: "eth1.10",
  make:
    "ip link add link eth1 name eth1.10 $address type macvlan mode bridge; ip link set eth1.10 up",
};
const VLAN: StageUnderlay = {
  device: "eth1.10",
  make: "ip link add link eth1 name eth1.10 $address type vlan id 10; ip link set eth1.10 up",
};

/** As the lab made it, so that the picture is the same again. */
const MAKE_UNDERLAY = "ip link add eth1 address $mac type veth peer name worker1 netns $fabric; " +
  "nsenter --net=$fabric ip link set worker1 master fabric up; ip link set eth1 up";

const UNDERLAY: readonly UnderlayDrift[] = [
  {
    name: "is deleted and made anew",
    unicast: true,
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
    unicast: true,
    cause: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1",
    meanwhile: {
      reasons: ["Ipv6Off"],
      end: "sysctl -qw net.ipv6.conf.eth1.disable_ipv6=0",
    },
  },
  {
    name: "loses its link-local address",
    unicast: true,
    cause: "ip -6 addr flush dev eth1 scope link",
    meanwhile: { reasons: ["NoIpv6Source"], end: "ip -6 addr add $linklocal/64 dev eth1" },
  },
  {
    name: "has IPv6 switched off by the setting for all links, and on",
    cause: "sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
    meanwhile: {
      reasons: ["Ipv6Off"],
      // What is not an underlay had it off, and is to have it off again.
      end: "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.pod1.disable_ipv6=1",
    },
  },
  {
    name: "gets an address that another host has, and its own one",
    unicast: true,
    cause: "nsenter --net=$fabric ip -6 addr add fe80::77/64 dev fabric nodad;" +
      "sysctl -qw net.ipv6.conf.eth1.accept_dad=1;" +
      "ip -6 addr flush dev eth1 scope link; ip -6 addr add fe80::77/64 dev eth1",
    meanwhile: {
      reasons: ["NoIpv6Source"],
      says: /IPv6 address that another host uses too/,
      within: 10_000,
      end: "ip -6 addr del fe80::77/64 dev eth1; ip -6 addr add $linklocal/64 dev eth1",
    },
  },
  {
    name: "gets an address that is checked for long, and passes",
    unicast: true,
    cause: "sysctl -qw net.ipv6.conf.eth1.accept_dad=1 net.ipv6.conf.eth1.dad_transmits=6;" +
      "ip -6 addr del $linklocal/64 dev eth1; ip -6 addr add $linklocal/64 dev eth1",
    meanwhile: {
      reasons: ["NoIpv6Source"],
      says: /IPv6 address that is still being checked for duplicates/,
      // It ends by itself, a second for each look for duplicates.
      end: "true",
      heals: 20_000,
    },
  },
  {
    name: "gets another address",
    cause: "ip -6 addr add fe80::77/64 dev eth1 nodad; ip -6 addr del $linklocal/64 dev eth1",
    meanwhile: {
      reasons: [],
      end: "ip -6 addr add $linklocal/64 dev eth1; ip -6 addr del fe80::77/64 dev eth1",
    },
  },
];

const SUB_INTERFACE: readonly Omit<UnderlayDrift, "underlay" | "unicast">[] = [
  {
    name: "is deleted and made anew",
    cause: "ip link del eth1.10",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      differs: [/^- \/lans\/knlvrf\/links\/vx2/],
      end: "$make",
    },
  },
  {
    name: "goes with the device below and comes with it",
    cause: "ip link del eth1",
    meanwhile: {
      reasons: ["UnderlayMissing"],
      end: `${MAKE_UNDERLAY}; $make`,
    },
  },
  {
    name: "is down and up with the device below",
    cause: "ip link set eth1 down",
    meanwhile: { reasons: ["UnderlayDown"], end: "ip link set eth1 up" },
  },
  {
    name: "gets a smaller MTU with the device below, and the old one",
    cause: "ip link set eth1 mtu 1400",
    meanwhile: {
      reasons: ["AttachmentMtuTooLarge"],
      end: "ip link set eth1 mtu 1500; ip link set eth1.10 mtu 1500",
    },
  },
];

for (const { name, cause, meanwhile } of UNDERLAY) {
  rootTest(`Reconciler tells when the underlay ${name}, and LANs work again after`, async () => {
    await using stage = await DriftStage.prepare();
    await runDrift(stage, cause, meanwhile);
  });
}

for (const { name, cause, meanwhile, unicast } of UNDERLAY) {
  if (unicast === undefined) continue;
  rootTest(`Reconciler tells when the underlay of a unicast LAN ${name}`, async () => {
    await using stage = await DriftStage.prepare(undefined, { underlay: "unicast" });
    await runDrift(stage, cause, meanwhile);
  });
}

for (const [kind, underlay] of Object.entries({ MACVLAN, VLAN })) {
  for (const { name, cause, meanwhile } of SUB_INTERFACE) {
    rootTest(`Reconciler tells when an underlay "eth1.10" (${kind}) ${name}`, async () => {
      if (underlay === VLAN && !await hasVlans()) {
        // deno-lint-ignore no-console -- a test left out must say why
        return console.log("Left out: this kernel has no VLANs (module 8021q)");
      }
      await using stage = await DriftStage.prepare(underlay);
      const end = meanwhile.end.replace("$make", `address="address $submac"; ${underlay.make}`);
      await runDrift(stage, cause, { ...meanwhile, end });
    });
  }
}

async function runDrift(stage: DriftStage, cause: string, meanwhile: Meanwhile): Promise<void> {
  await stage.shell(cause);
  await stage.tells(meanwhile);
  await stage.shell(meanwhile.end);
  await stage.healed(undefined, meanwhile.heals);
}

async function hasVlans(): Promise<boolean> {
  const probe = "ip link add up0 type veth peer name up1; ip link add link up0 type vlan id 10";
  const { success } = await new Deno.Command("unshare", {
    args: ["--net", "sh", "-euc", probe],
    stderr: "null",
  }).output();
  return success;
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

const GROUPS = [["red", "ff02::14"], ["blue", "ff02::14"], ["own", "ff02::77"]] as const;

rootTest("LANs that share a group, or have one of their own, outlive each other", async () => {
  await using lab = await createAgentLab({ nodes: 2 });
  const [one, two] = [lab.node("worker1"), lab.node("worker2")];
  const lans = [];
  for (const [at, [name, vxlanGrp]] of GROUPS.entries()) {
    const lan = {
      metadata: { name },
      spec: {
        ...{ ns: name, bridge: "br0", vxlan: "vx0", vni: 101 + at, defaultVxlanDev: "eth1" },
        ...{ vxlanGrp, spokes: [`${name}-1`, `${name}-2`] },
      },
    };
    for (const node of lab.nodes) await node.putLan(lan);
    const workloads = [];
    for (const [end, node] of [one, two].entries()) {
      const workload = await lab.addWorkload(`${name}-${end + 1}`);
      await node.attach(workload, { lan: `default/${name}`, spoke: workload.name });
      await workload.run(["ip", "addr", "add", `10.9.0.${end + 1}/24`, "dev", "net1"]);
      workloads.push({ workload, node });
    }
    lans.push({ name, workloads });
  }
  for (let gone = 0; gone < lans.length; gone++) {
    for (const { workloads: [from] } of lans.slice(gone)) {
      // To all, and so by the group.
      await from?.workload.run(["ip", "neigh", "flush", "all"]);
      await from?.workload.run(["ping", "-c1", "-W5", "10.9.0.2"]);
    }
    for (const { workload, node } of lans[gone]!.workloads) await node.detach(workload);
    const left = [...new Set(GROUPS.slice(gone + 1).map(([, group]) => group))];
    await until("only groups of those that are left are joined", async () => {
      return (await groupsOf(one)).join() === left.join();
    });
  }
});

/** Groups of LANs that the node is in on `eth1`, in order. */
async function groupsOf({ host }: AgentNode): Promise<string[]> {
  const found = await host.run(["ip", "-6", "-j", "maddr", "show", "dev", "eth1"]);
  const [{ maddr }] = JSON.parse(found);
  const known = new Set<string>(GROUPS.map(([, group]) => group));
  return maddr.flatMap(({ address }: { address?: string }) => {
    return address !== undefined && known.has(address) ? address : [];
  }).sort();
}
