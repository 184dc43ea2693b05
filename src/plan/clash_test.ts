import assert from "node:assert/strict";
import { K8slanError } from "../base/errors.ts";
import type { LinkInfo } from "../netlink/link_info.ts";
import {
  builtLan,
  MACVTAP,
  NOTHING,
  POD1,
  POD2,
  VETH,
  withLink,
} from "../../tests/support/built_lan.ts";
import { lanPlan } from "./lan_plan.ts";
import { goodUnderlay, seedLan } from "../../tests/support/lan_fixture.ts";
import { diff } from "./diff.ts";
import type { ObservedLan, ObservedNetns } from "./observed.ts";
import type { WantedLan } from "./wanted.ts";

const { wanted, observed } = await builtLan();
const OTHERS: LinkInfo = {
  ...{ index: 5, name: "x", up: true, running: true, arp: true, allMulticast: false },
  ...{ mtu: 1500, address: "02:00:00:00:00:05", attrs: { kind: "other", name: "dummy" } },
};

function clash(wanted: WantedLan, observed: ObservedLan): K8slanError {
  try {
    diff(wanted, observed);
  } catch (error) {
    assert.ok(error instanceof K8slanError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "No clash was found" });
}

Deno.test("diff() refuses a namespace that is not this LAN's", () => {
  const table: readonly (readonly [ObservedNetns, RegExp, boolean])[] = [
    [
      { state: "foreign", found: "a network namespace that is not ours" },
      /"\/run\/k8slan\/netns\/knlvrf".*found a network namespace that is not ours there; remove/,
      false,
    ],
    [
      { state: "ours", mark: { lan: "other", name: "default/other" } },
      /still belongs to LAN "default\/other" \(UID other\)/,
      true,
    ],
    [
      { state: "ours", mark: { lan: "other" } },
      /still belongs to another LAN \(UID other\)/,
      true,
    ],
  ];
  for (const [netns, message, retriable] of table) {
    const error = clash(wanted, { ...NOTHING, netns });
    assert.equal(error.code, "NetnsClash");
    assert.match(error.message, message);
    assert.equal(error.retriable, retriable);
  }
});

Deno.test("diff() refuses a host link with a spoke's name that has not this spoke's mark", () => {
  const ours = "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";
  const table: readonly (readonly [string | undefined, RegExp])[] = [
    [undefined, /needs the link name "pod1".*a link that is not ours has it/],
    ["", /a link that is not ours has it/],
    ["eth to the lab", /a link that is not ours has it/],
    ["k8slan lan=other spoke=pod1", /a link of another LAN \(UID other\) has it/],
    [`${ours} spoke=pod2`, /has it; rename or remove that link, or rename the spoke/],
  ];
  for (const [alias, message] of table) {
    const link = { ...OTHERS, name: "pod1", ...(alias === undefined ? {} : { alias }) };
    for (const state of [NOTHING, observed]) {
      const error = clash(wanted, { ...state, hostLinks: new Map([["pod1", link]]) });
      assert.equal(error.code, "LinkClash");
      assert.match(error.message, message);
    }
  }
});

Deno.test("diff() minds no host link whose name no macvtap needs", () => {
  const hostLinks = new Map([["pod2", { ...OTHERS, name: "pod2" }]]);
  diff({ ...wanted, attachments: [VETH] }, { ...NOTHING, hostLinks });
});

Deno.test("diff() refuses a name that the workload has already", () => {
  for (const attachment of [MACVTAP, VETH]) {
    const { target } = attachment;
    const inside = new Map([["net1", { ...OTHERS, name: "net1" }]]);
    const error = clash({ ...wanted, attachments: [attachment] }, {
      ...NOTHING,
      targets: new Map([[target!, inside]]),
    });
    assert.equal(error.code, "LinkClash");
    assert.match(error.message, /"net1" exists already in network namespace "\/run\/netns\/pod/);
  }
});

Deno.test("diff() gives up nothing that is attached for another attachment", () => {
  const former = "k8slan lan=0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90 spoke=pod1 container=former";
  for (const rest of ["ifname=net1 attach=macvtap", "ifname=eth0 attach=veth"]) {
    const alias = `${former} ${rest}`;
    const error = clash(wanted, withLink(observed, "lan", "pod1.b", { alias }));
    assert.equal(error.code, "SpokeInUse");
    assert.match(error.message, /Port "pod1\.b".*of container "former"; detach that first/);
  }
});

Deno.test("diff() lets no workload's doings stand in the way once it has its interface", () => {
  const lo = { ...OTHERS, index: 1, name: "lo", alias: "k8slan lan=other name=default/other" };
  for (const [pod, attrs] of [[POD1, "macvtap"], [POD2, "veth"]] as const) {
    const renamed = withLink(observed, pod, "net1", { name: "wan", alias: "mine" });
    const inside = new Map(
      [
        ...renamed.targets.get(pod)!,
        ["net1", { ...OTHERS, name: "net1" }],
        ["lo", lo],
      ] as const,
    );
    const meddled = { ...renamed, targets: new Map([...renamed.targets, [pod, inside]]) };
    assert.deepEqual(diff(wanted, meddled), [], attrs);
  }
});

Deno.test("diff() refuses a LAN's own namespace as workload", () => {
  const lo = { ...OTHERS, index: 1, name: "lo", alias: "k8slan lan=other name=default/other" };
  const error = clash(wanted, {
    ...NOTHING,
    targets: new Map([[POD1, new Map([["lo", lo]])]]),
  });
  assert.equal(error.code, "LanNetns");
  assert.match(error.message, /network namespace of LAN "default\/other" itself/);
});

Deno.test("diff() knows the namespace of a LAN with a long UID again", () => {
  const uid = `file.${"n".repeat(63)}.${"l".repeat(59)}`;
  const node = { name: "worker1", netnsDir: "/run/k8slan/netns" };
  const long = lanPlan(seedLan({}, uid), node, goodUnderlay());
  const [create] = diff(long, NOTHING);
  assert.ok(create?.op === "create-netns");
  const lan = /lan=(\S+)/.exec(create.mark)![1]!;
  diff(long, { ...NOTHING, netns: { state: "ours", mark: { lan } } });
});
