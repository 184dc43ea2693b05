/** Contract of a `Kernel`: what ports take in. */

import assert from "node:assert/strict";
import type { LanSpec } from "../../../src/api/lan.ts";
import { detachment } from "../../../src/plan/diff.ts";
import { HOST, type NetOp } from "../../../src/plan/ops.ts";
import type { ObservedFilters } from "../../../src/plan/observed.ts";
import type { PortFilter } from "../../../src/plan/protection.ts";
import type { WantedAttachment, WantedLan } from "../../../src/plan/wanted.ts";
import { macvtapOn, scopeOf } from "../lan_fixture.ts";
import { until } from "../until.ts";
import {
  ALL_KINDS,
  type Behaviour,
  converge,
  hostLink,
  type KernelWorld,
  missing,
  newTarget,
  ONE_MACVTAP,
  opName,
  wantedLan,
} from "./world.ts";

const PROTECTED: Partial<LanSpec> = { pinMac: true, broadcastLimit: 50 };
const BROADCAST = { rate: 50, burst: 50 };

function filtersOf(world: KernelWorld, wanted: WantedLan): ObservedFilters | undefined {
  return world.kernel.observe(scopeOf(wanted)).filters;
}

function expected(
  attachments: readonly WantedAttachment[],
  broadcast: PortFilter["broadcast"] = BROADCAST,
): ObservedFilters {
  return new Map(
    attachments.map(({ port, address: mac }) => [port, { mac, ...(broadcast && { broadcast }) }]),
  );
}

function filterOps(ops: readonly NetOp[]): string[] {
  return ops.map(opName).filter((name) => name.includes("filter"));
}

/** What happens to the filters of a LAN with a macvtap, and the operations that must follow. */
const DRIFTS: readonly (readonly [string, (world: KernelWorld, lan: WantedLan) => void, RegExp])[] =
  [
    [
      "table deleted",
      (world, { netns }) => world.deleteFilters(netns.path),
      /^filter-port pod1.b$/,
    ],
    [
      "rules of a port deleted",
      (world, { netns }) => world.emptyFilter(netns.path, "pod1.b"),
      /^filter-port pod1.b$/,
    ],
    [
      "port lost with its host end",
      (world) => world.deleteLink(HOST, "pod1"),
      /^create-veth pod1,.*filter-port pod1.b,.*join-bridge pod1.b,.*change-link pod1.b$/,
    ],
  ];

export const FILTERING: readonly Behaviour[] = [
  {
    name: "filterProblem() finds none",
    run(world) {
      assert.equal(world.kernel.filterProblem(), undefined);
      return Promise.resolve();
    },
  },
  {
    name: "apply() gives every port its filter, another one and none, each in one operation",
    async run(world) {
      const attachments = ALL_KINDS(world);
      const ports = attachments.map(({ port }) => port);
      const wants = (spec: Partial<LanSpec>) => wantedLan(world, attachments, spec);
      await converge(world, wants(PROTECTED));
      assert.deepEqual(filtersOf(world, wants({})), expected(attachments));
      const changed = await converge(world, wants({ ...PROTECTED, broadcastLimit: 1_000_000 }));
      assert.deepEqual(changed.map(opName), ports.map((port) => `filter-port ${port}`));
      assert.deepEqual(
        filtersOf(world, wants({})),
        expected(attachments, { rate: 1_000_000, burst: 1_000_000 }),
      );
      await converge(world, wants({ broadcastLimit: 1 }));
      assert.deepEqual(
        filtersOf(world, wants({})),
        new Map(ports.map((port) => [port, { broadcast: { rate: 1, burst: 20 } }])),
      );
      const off = await converge(world, wants({}));
      assert.deepEqual(off.map(opName), ["delete-filters knlvrf"]);
      assert.equal(filtersOf(world, wants({})), undefined);
    },
  },
  {
    name: "apply() puts a filter in place before its port is up",
    async run(world) {
      const ops = missing(world, wantedLan(world, ONE_MACVTAP(world), PROTECTED)).map(opName);
      assert.ok(ops.indexOf("filter-port pod1.b") < ops.indexOf("change-link pod1.b"));
      assert.ok(ops.indexOf("filter-port pod1.b") < ops.indexOf("join-bridge pod1.b"));
      await Promise.resolve();
    },
  },
  ...DRIFTS.map(([what, drift, ops]): Behaviour => ({
    name: `apply() mends filters: ${what}`,
    async run(world) {
      const attachments = ONE_MACVTAP(world);
      const wanted = wantedLan(world, attachments, PROTECTED);
      await converge(world, wanted);
      drift(world, wanted);
      await until(
        "links are gone",
        () => what.startsWith("port") ? hostLink(world, "pod1") === undefined : true,
      );
      assert.match((await converge(world, wanted)).map(opName).join(), ops);
      assert.deepEqual(filtersOf(world, wanted), expected(attachments));
    },
  })),
  {
    name: "apply() of a detachment leaves no filter, and others theirs",
    async run(world) {
      const attachments = ALL_KINDS(world);
      const [gone, ...rest] = attachments;
      const wanted = wantedLan(world, attachments, PROTECTED);
      await converge(world, wanted);
      const observed = world.kernel.observe(scopeOf(wanted));
      await world.kernel.apply(detachment(observed, wanted.netns.path, gone!.port));
      assert.deepEqual(filtersOf(world, wanted), expected(rest));
      // Again, for a process that was killed in between.
      await world.kernel.apply(detachment(observed, wanted.netns.path, gone!.port));
      assert.deepEqual(missing(world, { ...wanted, attachments: rest }), []);
    },
  },
  {
    name: "apply() gives the next holder of a port its own address",
    async run(world) {
      const wanted = wantedLan(world, ONE_MACVTAP(world), PROTECTED);
      await converge(world, wanted);
      world.deleteLink(HOST, "pod1");
      await until("the host end is gone", () => hostLink(world, "pod1") === undefined);
      const target = newTarget(world, "next");
      const next = {
        ...macvtapOn("pod1", { node: world.node, target, containerId: "next" }),
        address: "02:00:00:00:00:77",
      };
      await converge(world, { ...wanted, attachments: [next] });
      assert.deepEqual(filtersOf(world, wanted), expected([next]));
    },
  },
  {
    name: "diff() leaves an attachment that is not known the address that it was pinned to",
    async run(world) {
      const attachments = ALL_KINDS(world);
      await converge(world, wantedLan(world, attachments, PROTECTED));
      const known = attachments.slice(0, 1);
      assert.deepEqual(missing(world, wantedLan(world, known, PROTECTED)), []);
      const ops = await converge(world, wantedLan(world, known, { pinMac: true }));
      assert.equal(filterOps(ops).length, attachments.length);
      assert.deepEqual(
        filtersOf(world, wantedLan(world, known)),
        new Map(attachments.map(({ port, address: mac }) => [port, { mac }])),
      );
    },
  },
];
