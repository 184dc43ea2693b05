import { deepEqual } from "node:assert/strict";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { keyOf, keyText } from "../kube/objects.ts";
import type { NetworkAttachmentDefinition } from "../kube/resources.ts";
import { diffNetworks } from "./network_diff.ts";
import { lanUidOf, networkMeta, type WantedNetwork, wantedNetworks } from "./networks.ts";

const LAN = seedLan({ spokes: ["a"] }, "uid-1");
const WANTED = wantedNetworks(LAN, ["red"]);

function made(wanted: WantedNetwork, config = wanted.config): NetworkAttachmentDefinition {
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: {
      ...networkMeta(wanted),
      ...{ uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-31T12:00:00Z" },
    },
    spec: { config },
  };
}

function named(name: string, lanUid: string | undefined): NetworkAttachmentDefinition {
  const object = made({ namespace: "red", name, lanUid: lanUid ?? "", config: "{}" });
  const labels = lanUid === undefined ? {} : object.metadata.labels ?? {};
  return { ...object, metadata: { ...object.metadata, labels } };
}

const ALL = WANTED.map((wanted) => made(wanted));
const [MACVTAP, VETH, ANY] = ALL;

interface Case {
  readonly what: string;
  readonly there: readonly (NetworkAttachmentDefinition | undefined)[];
  readonly wanted?: readonly WantedNetwork[];
  readonly create?: readonly string[];
  readonly repair?: readonly string[];
  readonly remove?: readonly string[];
  readonly foreign?: readonly string[];
}

const CASES: readonly Case[] = [
  { what: "where nothing is", there: [], create: ["a", "a-veth", "lan-test-any"] },
  { what: "where all is well", there: ALL },
  { what: "where one was deleted", there: [MACVTAP, ANY], create: ["a-veth"] },
  {
    what: "where one was changed",
    there: [MACVTAP, made(WANTED[1]!, "{}"), ANY],
    repair: ["a-veth"],
  },
  { what: "where one is too many", there: [...ALL, named("b", "uid-1")], remove: ["b"] },
  {
    what: "where none shall be",
    there: ALL,
    wanted: [],
    remove: ["a", "a-veth", "lan-test-any"],
  },
  {
    what: "where a living LAN has the name",
    there: [named("a", "uid-2"), VETH, ANY],
    foreign: ["a of uid-2"],
  },
  {
    what: "where a LAN had the name that is gone",
    there: [named("a", "uid-0"), VETH, ANY],
    create: ["a"],
  },
  {
    what: "where something of no LAN has the name",
    there: [named("a", undefined), VETH, ANY],
    foreign: ["a"],
  },
];

for (const { what, there, wanted = WANTED, ...expected } of CASES) {
  Deno.test(`diffNetworks() ${what}`, () => {
    const objects = there.flatMap((object) => object ?? []);
    const byKey = new Map(objects.map((object) => [keyText(keyOf(object)), object]));
    const diff = diffNetworks(wanted, {
      own: objects.filter((object) => lanUidOf(object) === "uid-1"),
      find: (key) => byKey.get(keyText(key)),
      isLiving: (uid) => ["uid-1", "uid-2"].includes(uid),
    });
    deepEqual(
      {
        create: diff.create.map(({ name }) => name),
        repair: diff.repair.map(({ wanted }) => wanted.name),
        remove: diff.remove.map(({ metadata }) => metadata.name),
        foreign: diff.foreign.map(({ key, lanUid }) =>
          `${key.name}${lanUid === undefined ? "" : ` of ${lanUid}`}`
        ),
      },
      { ...{ create: [], repair: [], remove: [], foreign: [] }, ...expected },
    );
  });
}
