import { deepEqual, equal } from "node:assert/strict";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { parseAttachConfig } from "../api/cni_config.ts";
import { LAN_UID_LABEL, MANAGED_BY_LABEL, RESOURCE_NAME_ANNOTATION } from "../api/names.ts";
import type { NetworkAttachmentDefinition } from "../kube/resources.ts";
import {
  isAsWanted,
  namespacesOf,
  networkMeta,
  wantedNetwork,
  wantedNetworks,
} from "./networks.ts";

const LAN = seedLan({ spokes: ["pod1", "pod2"], namespaces: ["red", "blue"] }, "uid-1");

Deno.test("namespacesOf() is the LAN's own namespace unless others are named", () => {
  deepEqual(namespacesOf(seedLan()), ["k8slan-system"]);
  deepEqual(namespacesOf(LAN), ["red", "blue"]);
});

Deno.test("wantedNetworks() gives each namespace two for each spoke and one for all", () => {
  const names = ["pod1", "pod1-veth", "pod2", "pod2-veth", "lan-test-any"];
  deepEqual(
    wantedNetworks(LAN, ["red", "blue"]).map(({ namespace, name }) => `${namespace}/${name}`),
    ["red", "blue"].flatMap((namespace) => names.map((name) => `${namespace}/${name}`)),
  );
  deepEqual(wantedNetworks(LAN, []), []);
  deepEqual(wantedNetworks(seedLan({ spokes: [] }), ["a"]).map(({ name }) => name), [
    "lan-test-any",
  ]);
});

Deno.test("wantedNetworks() writes configurations that the CNI plugin understands", () => {
  const lan = { namespace: "k8slan-system", name: "lan-test" };
  const wanted = [
    { network: "pod1", lan, spoke: "pod1", attach: "macvtap", hasIpam: false },
    { network: "pod1-veth", lan, spoke: "pod1", attach: "veth", hasIpam: false },
    { network: "pod2", lan, spoke: "pod2", attach: "macvtap", hasIpam: false },
    { network: "pod2-veth", lan, spoke: "pod2", attach: "veth", hasIpam: false },
    { network: "lan-test-any", lan, attach: "veth", hasIpam: false },
  ];
  deepEqual(
    wantedNetworks(LAN, ["red"]).map(({ config }) => parseAttachConfig(JSON.parse(config), "")),
    wanted,
  );
});

Deno.test("wantedNetworks() has pods ask for a device with a macvtap alone", () => {
  deepEqual(
    wantedNetworks(LAN, ["red"]).flatMap(({ name, resource }) =>
      resource ? [[name, resource]] : []
    ),
    [["pod1", "macvtap.k8slan.io/pod1"], ["pod2", "macvtap.k8slan.io/pod2"]],
  );
});

Deno.test("wantedNetwork() finds the same by namespace and name, and nothing else", () => {
  for (const network of wantedNetworks(LAN, ["red", "blue"])) {
    deepEqual(wantedNetwork(LAN, network), network);
  }
  const others = [
    { namespace: "k8slan-system", name: "pod1" },
    { namespace: "red", name: "pod3" },
    { namespace: "red", name: "pod3-veth" },
    { namespace: "red", name: "pod1-any" },
    { namespace: "red", name: "lan-test" },
    { name: "pod1" },
  ];
  for (const key of others) equal(wantedNetwork(LAN, key), undefined, JSON.stringify(key));
});

const MADE: NetworkAttachmentDefinition = {
  apiVersion: "k8s.cni.cncf.io/v1",
  kind: "NetworkAttachmentDefinition",
  metadata: {
    ...networkMeta(wantedNetwork(LAN, { namespace: "red", name: "pod1" })!),
    ...{ uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-31T12:00:00Z" },
  },
  spec: { config: wantedNetwork(LAN, { namespace: "red", name: "pod1" })!.config },
};

const { metadata } = MADE;
const STATES: readonly (readonly [string, NetworkAttachmentDefinition, boolean])[] = [
  ["as it was made", MADE, true],
  [
    "with what others added",
    {
      ...MADE,
      metadata: {
        ...metadata,
        labels: { ...metadata.labels, more: "x" },
        annotations: { ...metadata.annotations, more: "x" },
      },
    },
    true,
  ],
  ["with another configuration", { ...MADE, spec: { config: "{}" } }, false],
  ["without a spec", { apiVersion: "v1", kind: "x", metadata }, false],
  [
    "without the resource",
    { ...MADE, metadata: { ...metadata, annotations: {} } },
    false,
  ],
  [
    "with another resource",
    { ...MADE, metadata: { ...metadata, annotations: { [RESOURCE_NAME_ANNOTATION]: "a/b" } } },
    false,
  ],
  [
    "of another LAN",
    {
      ...MADE,
      metadata: { ...metadata, labels: { ...metadata.labels, [LAN_UID_LABEL]: "uid-2" } },
    },
    false,
  ],
  [
    "without the label by which it is watched",
    { ...MADE, metadata: { ...metadata, labels: { [LAN_UID_LABEL]: "uid-1" } } },
    false,
  ],
];

for (const [what, found, wanted] of STATES) {
  Deno.test(`isAsWanted() of one ${what} is ${wanted}`, () => {
    equal(isAsWanted(found, wantedNetwork(LAN, { namespace: "red", name: "pod1" })!), wanted);
  });
}

Deno.test("networkMeta() labels what is made with whose it is", () => {
  deepEqual(metadata.labels, { [MANAGED_BY_LABEL]: "k8slan", [LAN_UID_LABEL]: "uid-1" });
});
