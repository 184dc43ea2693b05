import assert from "node:assert/strict";
import { deviceText, type ForeignVxlan, foreignVxlanConditions, makerOf } from "./foreign_vxlan.ts";

const OURS = { vni: 222, vxlanPort: 4789 };
const CILIUM: ForeignVxlan = {
  ...{ name: "cilium_vxlan", vni: 0, port: 4789, up: true, ipv6: true, alone: true },
};
const CALICO: ForeignVxlan = {
  ...{ name: "vxlan.calico", vni: 4096, port: 4789, up: true, ipv6: false, alone: false },
};
const FLANNEL: ForeignVxlan = { ...CALICO, name: "flannel.1", vni: 1, port: 8472 };

interface Case {
  readonly name: string;
  readonly device: ForeignVxlan;
  readonly reason?: string;
  readonly says?: RegExp;
}

const cases: readonly Case[] = [
  {
    name: "Cilium's device that is up",
    device: CILIUM,
    reason: "VxlanPortTaken",
    says: /"cilium_vxlan" of Cilium has UDP port 4789 .* LAN "a\/b" cannot come up here; delete/,
  },
  {
    name: "Cilium's device that is down",
    device: { ...CILIUM, up: false },
    reason: "VxlanPortTaken",
    says: /"cilium_vxlan" of Cilium needs UDP port 4789 .* cannot come up while LAN "a\/b" uses it/,
  },
  { name: "Cilium's device on its own port", device: { ...CILIUM, port: 8472 } },
  { name: "Calico's device of IPv4", device: CALICO },
  { name: "a device of IPv4 with the VNI", device: { ...CALICO, vni: 222 } },
  {
    name: "Calico's device of IPv6",
    device: { ...CALICO, name: "vxlan-v6.calico", ipv6: true },
    reason: "VxlanPortFiltered",
    says: /Calico drops what is not its own there.*another spec.vxlanPort$/,
  },
  {
    name: "a device with the VNI",
    device: { ...CALICO, name: "theirs", vni: 222, ipv6: true },
    reason: "VniTaken",
    says: /"theirs" has VNI 222 on UDP port 4789 .*another spec.vni or spec.vxlanPort$/,
  },
  { name: "Flannel's device", device: FLANNEL },
  { name: "a neighbour that shares the port", device: { ...FLANNEL, port: 4789, ipv6: true } },
];

for (const { name, device, reason, says } of cases) {
  Deno.test(`foreignVxlanConditions() about ${name}`, () => {
    const [found, ...more] = foreignVxlanConditions("a/b", OURS, [device]);
    assert.equal(found?.reason, reason);
    if (says !== undefined) assert.match(`${found?.message}`, says);
    assert.deepEqual(more, []);
  });
}

Deno.test("makerOf() knows programs by their devices' names alone", () => {
  const known = {
    "cilium_vxlan": "Cilium",
    "vxlan.calico": "Calico",
    "vxlan-v6.calico": "Calico",
    "flannel.1": "Flannel",
    "flannel-v6.1": "Flannel",
    "vxlan_sys_4789": "Open vSwitch",
    "vxlan-6784": "Weave Net",
    "vx-001001-abcde": "Docker",
  };
  for (const [name, maker] of Object.entries(known)) assert.equal(makerOf(name), maker);
  for (const name of ["vxlan0", "flannel", "xcilium_vxlan"]) assert.equal(makerOf(name), undefined);
  assert.equal(deviceText("vxlan0"), '"vxlan0"');
});
