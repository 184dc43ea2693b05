/**
 * What the plan's text says and what the program does are the same, and both are what the design
 * promises: looked at with `ip`, which shares no code with us.
 */

import assert from "node:assert/strict";
import { tapIndex } from "../../src/plan/identity.ts";
import { createLab, type IpLink, type Lab, type LabNode, rootTest } from "../support/netns_lab.ts";
import { settled } from "../support/settled.ts";

const PROGRAM = new URL("../support/plan_run.ts", import.meta.url).pathname;
const LAN_MARK = "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
/** Name of the macvtap in the VM's namespace, of the kind that KubeVirt gives. */
const TAP = "pod0a1b2c3d4e5";

/** One node with a namespace for a VM and one for a pod. */
class PlanLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly node: LabNode;
  /** Name and path of every namespace that the plan touches. */
  readonly places: Readonly<Record<"host" | "lan" | "vm" | "pod", string>>;
  readonly #spec: string;

  static async create(spec: object = {}): Promise<PlanLab> {
    const lab = await createLab({ nodes: 1 });
    try {
      await lab.addNetns("worker1.d/vm");
      await lab.addNetns("worker1.d/pod");
      return new PlanLab(lab, spec);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  constructor(lab: Lab, spec: object) {
    this.lab = lab;
    this.node = lab.node("worker1");
    const { netns: host, dir } = this.node;
    this.places = { host, lan: `${dir}/netns/knlvrf`, vm: `${dir}/vm`, pod: `${dir}/pod` };
    this.#spec = JSON.stringify(spec);
  }

  /** Runs `tests/support/plan_run.ts` in the node. */
  plan(action: string): Promise<string> {
    const { uniqueName, dir } = this.node;
    const program = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
    return this.node.run([...program, uniqueName, dir, this.#spec, action]);
  }

  async missing(): Promise<unknown> {
    return JSON.parse(await this.plan("missing"));
  }

  /** Types what the plan says. */
  async byHand(action: "text" | "removal-text"): Promise<void> {
    await this.node.run(["sh", "-e"], { stdin: await this.plan(action) });
  }

  async link(place: keyof PlanLab["places"], name: string): Promise<IpLink> {
    const found = (await this.lab.links(this.places[place])).find(({ ifname }) => ifname === name);
    if (found === undefined) throw new Error(`There is no link "${name}" in ${place}`);
    return found;
  }

  /** A kernel parameter of a link. */
  async sysctl(place: keyof PlanLab["places"], key: string): Promise<string> {
    return (await this.lab.run(this.places[place], ["sysctl", "-n", key])).trim();
  }

  get tap(): string {
    return `/dev/tap${tapIndex(this.node.uniqueName, "pod1", 0)}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }
}

/** Everything that can be seen of the plan, without what two builds may differ in. */
async function topology(lab: PlanLab): Promise<Record<string, unknown>> {
  return await settled(() => look(lab));
}

async function look(lab: PlanLab): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  for (const [name, path] of Object.entries(lab.places)) {
    const links = await lab.lab.links(path);
    const ports: Record<string, unknown>[] = JSON.parse(
      await lab.lab.run(path, ["bridge", "-d", "-j", "link"]),
    );
    // The other end's index, taken for one of this namespace.
    for (const port of ports) delete port["link"];
    const sysctls = await lab.lab.run(path, [
      "sh",
      "-c",
      "grep -H . /proc/sys/net/ipv6/conf/*/disable_ipv6 /proc/sys/net/ipv4/conf/*/rp_filter",
    ]);
    seen[name] = { links: normal(links), ports: normal(ports), sysctls: sysctls.split("\n") };
  }
  const { mode, uid, gid } = await Deno.lstat(lab.tap);
  return { ...seen, tap: { mode: mode! & 0o7777, uid, gid } };
}

/** Indexes and namespace ids are the kernel's choice where they are small; timers run. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => {
    if (/_timer$|^gc_timer$/.test(key)) return undefined;
    if (/^(ifindex|link_index|link_netnsid)$/.test(key)) return inner < 2 ** 20 ? "small" : inner;
    return inner;
  }));
}

rootTest("opText() of a plan, typed by hand, makes what apply() makes", async () => {
  await using lab = await PlanLab.create();
  await lab.byHand("text");
  const byHand = await topology(lab);
  assert.deepEqual(await lab.missing(), []);
  await lab.byHand("removal-text");
  await assertNothingLeft(lab);
  await lab.plan("apply");
  assert.deepEqual(await topology(lab), byHand);
  await lab.plan("remove");
  await assertNothingLeft(lab);
});

async function assertNothingLeft(lab: PlanLab): Promise<void> {
  const left = async (place: "host" | "vm" | "pod") =>
    (await lab.lab.links(lab.places[place])).map(({ ifname }) => ifname);
  assert.deepEqual(
    [await left("host"), await left("vm"), await left("pod")],
    [["lo", "eth1"], ["lo"], ["lo"]],
  );
  assert.throws(() => Deno.lstatSync(lab.places.lan), Deno.errors.NotFound);
  assert.throws(() => Deno.lstatSync(lab.tap), Deno.errors.NotFound);
}

rootTest("opText() takes names that are words of `ip`, or of the shell, for names", async () => {
  const spec = { bridge: "type", vxlan: "dev", spokes: ["group", "up"] };
  await using lab = await PlanLab.create(spec);
  await lab.byHand("text");
  assert.deepEqual(await lab.missing(), []);
  await lab.byHand("removal-text");
  assert.deepEqual((await lab.node.links()).map(({ ifname }) => ifname), ["lo", "eth1"]);
});

for (const own of [undefined, "2001:db8::a"]) {
  const kind = own === undefined ? "link-local" : "routed";
  rootTest(
    `opText() of ${kind} peers, typed by hand, makes the table that apply() makes`,
    async () => {
      await using lab = await PlanLab.create({ underlay: "unicast" });
      if (own !== undefined) {
        await lab.node.run(["ip", "addr", "add", `${own}/64`, "dev", "eth1", "nodad"]);
      }
      const table = () => lab.lab.run(lab.places.lan, ["bridge", "fdb", "show", "dev", "vx2"]);
      await lab.byHand("text");
      const vxlan = async () => normal((await lab.link("lan", "vx2")).linkinfo);
      const seen = () => settled(async () => [await vxlan(), await table()]);
      const byHand = await seen();
      assert.deepEqual(await lab.missing(), []);
      const prefix = own === undefined ? "fe80::" : "2001:db8::";
      for (const peer of ["b", "c"]) {
        assert.ok(
          `${byHand[1]}`.includes(`00:00:00:00:00:00 dst ${prefix}${peer} `),
          `${byHand[1]}`,
        );
      }
      await lab.byHand("removal-text");
      await assertNothingLeft(lab);
      await lab.plan("apply");
      assert.deepEqual(await seen(), byHand);
      assert.deepEqual(await lab.missing(), []);
    },
  );
}

rootTest("opText() of filters, typed by hand, makes the rules that apply() makes", async () => {
  await using lab = await PlanLab.create({ pinMac: true, broadcastLimit: 300 });
  const rules = () => lab.lab.run(lab.places.lan, ["nft", "-nn", "list", "ruleset"]);
  await lab.byHand("text");
  const byHand = await rules();
  assert.deepEqual(await lab.missing(), []);
  assert.equal(byHand.match(/ether saddr != 02:/g)?.length, 2);
  assert.equal(byHand.match(/limit rate over 300\/second burst 300 packets/g)?.length, 2);
  await lab.byHand("removal-text");
  await assertNothingLeft(lab);
  await lab.plan("apply");
  assert.deepEqual(await rules(), byHand);
  assert.deepEqual(await lab.missing(), []);
});

rootTest("apply() a second time has nothing to do", async () => {
  await using lab = await PlanLab.create();
  await lab.plan("apply");
  const before = await topology(lab);
  assert.deepEqual(await lab.missing(), []);
  await lab.plan("apply");
  assert.deepEqual(await topology(lab), before);
});

/** Of what is in `actual`, the fields that `expected` names. */
function assertHas(actual: object | undefined, expected: Readonly<Record<string, unknown>>): void {
  const entries = Object.keys(expected).map((key) => [key, Reflect.get(actual ?? {}, key)]);
  assert.deepEqual(Object.fromEntries(entries), expected);
}

rootTest("apply() makes what the design promises, by the words of ip", async (t) => {
  await using lab = await PlanLab.create();
  await lab.plan("apply");
  await topology(lab); // The kernel is done with all links.
  const { places, node } = lab;
  const index = tapIndex(node.uniqueName, "pod1", 0);
  const common = { mtu: 1426, operstate: "UP" };

  await t.step("namespace: bound, marked, loopback up, IPv6 off on all its links", async () => {
    const mounts = await Deno.readTextFile("/proc/self/mountinfo");
    assert.match(mounts, new RegExp(`net:\\[\\d+\\] ${places.lan} `));
    const lo = await lab.link("lan", "lo");
    assert.equal(lo.ifalias, `${LAN_MARK} name=k8slan-system/lan-test`);
    assert.ok(lo.flags.includes("UP"));
    for (const link of ["all", "default", "lo", "br2", "vx2", "pod1/b", "pod2/b"]) {
      assert.equal(await lab.sysctl("lan", `net.ipv6.conf.${link}.disable_ipv6`), "1", link);
    }
    assert.equal(await lab.lab.run(places.lan, ["ip", "-6", "addr"]), "");
  });

  await t.step("bridge: no STP, no snooping, ageing 300 s", async () => {
    const bridge = await lab.link("lan", "br2");
    assertHas(bridge, { ...common, ifalias: LAN_MARK, ifindex: 2 ** 20 });
    assertHas(bridge.linkinfo?.info_data, {
      ...{ stp_state: 0, mcast_snooping: 0, ageing_time: 30000, group_fwd_mask: "0" },
      ...{ vlan_filtering: 0, nf_call_iptables: 0, nf_call_ip6tables: 0 },
    });
  });

  await t.step("VXLAN: group, port, underlay, learning, ageing 300 s, hop limit 1", async () => {
    const vxlan = await lab.link("lan", "vx2");
    assertHas(vxlan, { mtu: 1426, ifalias: LAN_MARK, master: "br2" });
    assertHas(vxlan.linkinfo?.info_data, {
      ...{ id: 222, group6: "ff02::14", port: 4789, ttl: 1, learning: true, ageing: 300 },
    });
    assertHas(vxlan.linkinfo?.info_slave_data, { group_fwd_mask: "0xfffd", state: "forwarding" });
  });

  await t.step("VXLAN: socket and group in the host's namespace", async () => {
    assert.match(await node.run(["ss", "-Huln"]), /:4789 /);
    assert.equal(await lab.lab.run(places.lan, ["ss", "-Huln"]), "");
    assert.match(await node.run(["ip", "-6", "maddr", "show", "dev", "eth1"]), /inet6 ff02::14\b/);
  });

  await t.step("bridge ports: link-local frames pass", async () => {
    for (const name of ["pod1.b", "pod2.b"]) {
      const port = await lab.link("lan", name);
      assertHas(port, { ...common, master: "br2" });
      assertHas(port.linkinfo?.info_slave_data, { group_fwd_mask: "0xfffd", state: "forwarding" });
    }
    const mark = `${LAN_MARK} spoke=pod1 container=c0ffee ifname=${TAP} attach=macvtap`;
    assert.equal((await lab.link("lan", "pod1.b")).ifalias, mark);
  });

  await t.step("spoke: the host end is deaf to the LAN", async () => {
    const spoke = await lab.link("host", "pod1");
    assertHas(spoke, { ...common, ifindex: index, ifalias: `${LAN_MARK} spoke=pod1` });
    const expected = ["BROADCAST", "MULTICAST", "NOARP", "UP", "LOWER_UP"];
    assert.deepEqual(spoke.flags.toSorted(), expected.toSorted());
    assert.equal(await lab.sysctl("host", "net.ipv6.conf.pod1.disable_ipv6"), "1");
    const [{ addr_info }] = JSON.parse(await node.run(["ip", "-j", "addr", "show", "dev", "pod1"]));
    assert.deepEqual(addr_info, []);
    assert.deepEqual(
      (await node.links()).map(({ ifname }) => ifname),
      ["lo", "eth1", "pod1"],
    );
  });

  await t.step("macvtap: passthru, index N, all multicast, IPv6 off, queue of 500", async () => {
    const macvtap = await lab.link("vm", TAP);
    assertHas(macvtap, { ...common, ifindex: index, txqlen: 500 });
    assertHas(macvtap.linkinfo, { info_kind: "macvtap" });
    assertHas(macvtap.linkinfo?.info_data, { mode: "passthru" });
    assert.ok(macvtap.flags.includes("ALLMULTI") && macvtap.flags.includes("UP"));
    assert.equal(await lab.sysctl("vm", `net.ipv6.conf.${TAP}.disable_ipv6`), "1");
    assert.equal(macvtap.address, (await lab.link("host", "pod1")).address);
  });

  await t.step("macvtap: /dev/tapN is this one, and its owner's alone", async () => {
    const { mode, uid, gid, rdev, isCharDevice } = await Deno.lstat(lab.tap);
    assert.ok(isCharDevice);
    assert.deepEqual([mode! & 0o7777, uid, gid], [0o600, 107, 107]);
    const dev = await sysfs(lab, "vm", `${TAP}/tap${index}/dev`);
    const major = (rdev! >> 8) & 0xfff;
    assert.equal(dev, `${major}:${(rdev! & 0xff) | ((rdev! >> 12) & 0xfff00)}`);
  });

  await t.step("veth: the far end is the workload's", async () => {
    const veth = await lab.link("pod", "net1");
    assertHas(veth, { ...common, ifalias: `${LAN_MARK} spoke=pod2` });
    assertHas(veth.linkinfo, { info_kind: "veth" });
  });

  await t.step("addresses were given, so that udev leaves them alone", async () => {
    const NET_ADDR_SET = "3";
    const links = [
      ...[["lan", "br2"], ["lan", "vx2"], ["lan", "pod1.b"], ["lan", "pod2.b"]] as const,
      ...[["host", "pod1"], ["vm", TAP], ["pod", "net1"]] as const,
    ];
    for (const [place, name] of links) {
      assert.equal(await sysfs(lab, place, `${name}/addr_assign_type`), NET_ADDR_SET, name);
      assert.match((await lab.link(place, name)).address ?? "", /^02:/);
    }
  });
});

/** A file under `/sys/class/net` as a namespace sees it. */
async function sysfs(lab: PlanLab, place: keyof PlanLab["places"], path: string): Promise<string> {
  const script = `mount -t sysfs sysfs /sys; cat '/sys/class/net/${path}'`;
  const text = await lab.lab.run(lab.places[place], ["unshare", "--mount", "sh", "-ec", script]);
  return text.trim();
}

rootTest(
  "observe() takes nothing at a LAN's path for ours, and nothing is done to it",
  async (t) => {
    await using lab = await PlanLab.create();
    const path = lab.places.lan;
    const table: readonly (readonly [string, string])[] = [
      ["a directory", 'mkdir "$1"'],
      ["an empty file", ': > "$1"'],
      ["a link to nowhere", 'ln -s /nowhere "$1"'],
      ["a link to itself", 'ln -s "$1" "$1"'],
      ["a namespace of another kind", 'touch "$1"; mount --bind /proc/self/ns/uts "$1"'],
      ["a network namespace that is not ours", 'touch "$1"; unshare --net="$1" true'],
    ];
    await lab.plan("missing");
    for (const [what, script] of table) {
      await t.step(what, async () => {
        await lab.node.run(["sh", "-euc", script, "sh", path]);
        const before = await Deno.lstat(path);
        for (const action of ["missing", "apply"]) {
          await assert.rejects(lab.plan(action), (error) => {
            assert.match(String(error), /needs ".*\/knlvrf" for its network namespace, but found/);
            return true;
          });
        }
        const { dev, ino, mtime } = await Deno.lstat(path);
        assert.deepEqual([dev, ino, mtime], [before.dev, before.ino, before.mtime]);
        assert.deepEqual((await lab.node.links()).map(({ ifname }) => ifname), ["lo", "eth1"]);
        await lab.node.run([
          "sh",
          "-euc",
          'umount "$1" 2>/dev/null || true; rm -r "$1"',
          "sh",
          path,
        ]);
      });
    }
  },
);
