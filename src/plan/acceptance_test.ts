import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { timeOf } from "../../tests/support/fastest.ts";
import { lanWith } from "../../tests/support/lan_corpus.ts";
import { type Lan, validateLan } from "../api/lan.ts";
import { acceptLans, type Verdict } from "./acceptance.ts";

interface Wanted {
  readonly uid: string;
  /** Minutes after the first of January. */
  readonly minute?: number;
  readonly ns?: string;
  readonly vni?: number;
  readonly spokes?: readonly string[];
}

function lan({ uid, minute = 0, ns = `n-${uid.toLowerCase()}`, vni, spokes = [] }: Wanted): Lan {
  const result = validateLan(lanWith({ ns, vni: vni ?? 1000 + uid.charCodeAt(0), spokes }, {
    name: `lan-${uid.toLowerCase()}`,
    namespace: "team",
    uid,
    creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
  }));
  if ("lan" in result) return result.lan;
  throw new Error(JSON.stringify(result.issues));
}

function winners(lans: readonly Lan[]): string[] {
  return [...acceptLans(lans)].filter(([, verdict]) => verdict.accepted).map(([uid]) => uid).sort();
}

function sortedVerdicts(lans: readonly Lan[]): [string, Verdict][] {
  return [...acceptLans(lans)].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

const cases: readonly (readonly [string, readonly Wanted[], readonly string[]])[] = [
  ["accepts LANs that share nothing", [{ uid: "a" }, { uid: "b" }], ["a", "b"]],
  ["accepts none of none", [], []],
  [
    "gives a shared ns to the older",
    [{ uid: "a", minute: 2, ns: "x" }, { uid: "b", minute: 1, ns: "x" }],
    ["b"],
  ],
  [
    "gives a shared vni to the lesser UID at equal age",
    [{ uid: "b", vni: 7 }, { uid: "a", vni: 7 }],
    ["a"],
  ],
  [
    "compares UIDs by code unit",
    [{ uid: "a", vni: 7 }, { uid: "B", vni: 7 }],
    ["B"],
  ],
  [
    "gives a shared spoke to the older, and nothing else of the younger counts",
    [{ uid: "a", spokes: ["p1", "p2"] }, { uid: "b", minute: 1, spokes: ["p2", "p3"] }],
    ["a"],
  ],
  [
    "lets a loser occupy nothing",
    [
      { uid: "a", spokes: ["p1"] },
      { uid: "b", minute: 1, ns: "x", vni: 5, spokes: ["p1", "p2"] },
      { uid: "c", minute: 2, ns: "x", vni: 5, spokes: ["p2"] },
    ],
    ["a", "c"],
  ],
  [
    "keeps ns and spokes apart",
    [{ uid: "a", ns: "x" }, { uid: "b", spokes: ["x"] }],
    ["a", "b"],
  ],
  [
    "accepts none of several with one UID, and they occupy nothing",
    [{ uid: "a", ns: "x" }, { uid: "a", minute: 1, ns: "y" }, { uid: "b", minute: 2, ns: "x" }],
    ["b"],
  ],
];

for (const [name, wanted, expected] of cases) {
  Deno.test(`acceptLans() ${name}`, () => {
    deepStrictEqual(winners(wanted.map(lan)), expected);
  });
}

Deno.test("acceptLans() says field, value and winner, and what to do", () => {
  const verdict = acceptLans([
    lan({ uid: "a", spokes: ["p1", "p2"] }),
    lan({ uid: "b", minute: 1, spokes: ["p3", "p2"] }),
  ]).get("b");
  deepStrictEqual(verdict, {
    accepted: false,
    reason: "Conflict",
    field: "spoke",
    value: "p2",
    winner: { namespace: "team", name: "lan-a", uid: "a" },
    message: 'spoke "p2" belongs to LAN "team/lan-a", which came first; ' +
      "choose another spoke, or delete that LAN",
  });
});

Deno.test("acceptLans() compares times, not their spelling", () => {
  const utc = lan({ uid: "b", ns: "x" });
  const east = {
    ...lan({ uid: "a", ns: "x" }),
    metadata: { ...lan({ uid: "a" }).metadata, creationTimestamp: "2026-01-01T00:30:00+01:00" },
  };
  deepStrictEqual(winners([utc, east]), ["a"]);
});

Deno.test("acceptLans() is independent of order, shares no value and accepts the oldest", () => {
  const random = mulberry32(20_260_131);
  const pick = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 300; round++) {
    const lans = Array.from({ length: 1 + pick(12) }, (_, at) =>
      lan({
        uid: `u${at}`,
        minute: pick(4),
        ns: `n${pick(10)}`,
        vni: 1 + pick(10),
        spokes: [...new Set(Array.from({ length: pick(4) }, () => `s${pick(20)}`))],
      }));
    const verdicts = sortedVerdicts(lans);
    deepStrictEqual(sortedVerdicts(shuffle(lans, pick)), verdicts);
    strictEqual(verdicts.length, lans.length);

    const accepted = new Set(winners(lans));
    const values = lans.filter(({ metadata }) => accepted.has(metadata.uid)).flatMap(({ spec }) => [
      `ns ${spec.ns}`,
      `vni ${spec.vni}`,
      ...spec.spokes.map((spoke) => `spoke ${spoke}`),
    ]);
    strictEqual(new Set(values).size, values.length);

    const oldest = lans.toSorted((a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.uid < b.metadata.uid ? -1 : 1)
    )[0]!;
    ok(accepted.has(oldest.metadata.uid));

    // Nobody is refused for the sake of one that is refused itself.
    for (const [, verdict] of verdicts) {
      if (!verdict.accepted) ok(accepted.has(verdict.winner.uid));
    }
  }
});

Deno.test("acceptLans() takes time in proportion to the number of spokes", () => {
  const one = lan({ uid: "x" });
  const many = (count: number) =>
    Array.from({ length: count }, (_, at): Lan => ({
      ...one,
      metadata: { ...one.metadata, uid: `u${at}` },
      spec: {
        ...one.spec,
        ns: `n${at}`,
        vni: 1 + at,
        spokes: Array.from({ length: 4095 }, (_, spoke) => `s${at}-${spoke}`),
      },
    }));
  const [few, all] = [many(10), many(100)];
  const accept = (lans: readonly Lan[]) => strictEqual(winners(lans).length, lans.length);
  // Ten times as many, against ten times over: equally long, so that a busy machine holds up both, or
  // one of several tries. Quadratic would be ten times as long.
  const ratios = [1, 2, 3, 4, 5].map(() => {
    const inParts = timeOf(() => {
      for (let part = 0; part < 10; part++) accept(few);
    });
    return timeOf(() => accept(all)) / inParts;
  });
  ok(Math.min(...ratios) < 5, `${ratios}`);
});

function shuffle<T>(list: readonly T[], pick: (limit: number) => number): T[] {
  const copy = [...list];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = pick(at + 1);
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
}

/** A repeatable source of random numbers in 0..1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
