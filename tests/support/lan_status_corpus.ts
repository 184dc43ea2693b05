/** Good and bad migrations in the status of a LAN, for our schema and for an API server with our CRD. */

import { LAN_MIGRATIONS_MAX } from "../../src/api/lan_status.ts";

export interface LanStatusRow {
  readonly name: string;
  readonly status: unknown;
  /** Paths below `status` that must be complained about; none: it is good. */
  readonly bad: readonly string[];
}

type Loose = { readonly [key: string]: unknown };

const FROM = { node: "n1", namespace: "lab", name: "launcher-a", uid: "u1" };
const TO = { namespace: "lab", name: "launcher-b", uid: "u2" };

function without(object: Loose): Loose {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function migrationWith(change: Loose): Loose {
  return { migrations: [without({ spoke: "pod1", from: FROM, to: TO, ...change })] };
}

function many(count: number): Loose {
  const migrations = Array.from({ length: count }, (_, n) => ({
    ...{ spoke: `s${n}`, from: FROM, to: TO },
  }));
  return { migrations };
}

const long = "a".repeat(254);

export const LAN_STATUS_CORPUS: readonly LanStatusRow[] = [
  { name: "no migration", status: { migrations: [] }, bad: [] },
  { name: "a migration", status: migrationWith({}), bad: [] },
  { name: "one to a node", status: migrationWith({ to: { ...TO, node: "n2" } }), bad: [] },
  { name: "most migrations", status: many(LAN_MIGRATIONS_MAX), bad: [] },
  { name: "too many", status: many(LAN_MIGRATIONS_MAX + 1), bad: ["migrations"] },
  { name: "an object", status: { migrations: {} }, bad: ["migrations"] },
  ...([
    ["no spoke", { spoke: undefined }, "spoke"],
    ["an empty spoke", { spoke: "" }, "spoke"],
    ["a long spoke", { spoke: "a".repeat(64) }, "spoke"],
    ["no source", { from: undefined }, "from"],
    ["a source without node", { from: without({ ...FROM, node: undefined }) }, "from.node"],
    ["a source without UID", { from: without({ ...FROM, uid: undefined }) }, "from.uid"],
    ["a long source", { from: { ...FROM, name: long } }, "from.name"],
    ["no target", { to: undefined }, "to"],
    ["a target of text", { to: "launcher-b" }, "to"],
    ["a target without UID", { to: without({ ...TO, uid: undefined }) }, "to.uid"],
    [
      "a target without namespace",
      { to: without({ ...TO, namespace: undefined }) },
      "to.namespace",
    ],
    ["a target on a node without name", { to: { ...TO, node: "" } }, "to.node"],
    ["a target with a long UID", { to: { ...TO, uid: "a".repeat(129) } }, "to.uid"],
  ] as const).map(([name, change, path]): LanStatusRow => ({
    ...{ name, status: migrationWith(change), bad: [`migrations[0].${path}`] },
  })),
];
