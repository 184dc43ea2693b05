import { deepEqual, equal, ok } from "node:assert/strict";
import { type MtuBounds, narrowed, nextSize } from "./mtu_search.ts";

Deno.test("nextSize() and narrowed() find any size in few rounds", () => {
  for (const limit of [700, 1279, 1280, 1334, 1425, 8000]) {
    const full = limit < 1426 ? 1426 : 8926;
    let bounds: MtuBounds | undefined = narrowed(undefined, full, 600, undefined);
    let rounds = 0;
    let largest = 600;
    for (; bounds !== undefined && bounds.high - bounds.low > 8; rounds++) {
      const tried = nextSize([bounds], 1)!;
      if (tried <= limit) largest = Math.max(largest, tried);
      bounds = narrowed(bounds, full, largest, tried);
    }
    ok(bounds !== undefined && bounds.low <= limit && limit < bounds.high);
    ok(rounds <= 11, `${rounds} rounds for ${limit}`);
  }
});

Deno.test("narrowed() takes back what has become wrong", () => {
  const table: readonly (readonly [MtuBounds | undefined, number, number | undefined, unknown])[] =
    [
      [undefined, 1426, undefined, undefined],
      [undefined, 0, undefined, undefined],
      [{ low: 1000, high: 1100 }, 1426, 1050, undefined],
      [{ low: 1000, high: 1100 }, 1100, 1100, { low: 1100, high: 1426 }],
      [{ low: 1000, high: 1008 }, 900, 1000, { low: 900, high: 1000 }],
      [{ low: 1000, high: 1008 }, 1000, undefined, { low: 1000, high: 1008 }],
      [{ low: 1000, high: 1008 }, 0, 1000, { low: 1000, high: 1008 }],
    ];
  for (const [bounds, largest, tried, expected] of table) {
    deepEqual(narrowed(bounds, 1426, largest, tried), expected);
  }
});

Deno.test("nextSize() keeps showing what was found, and doubts it now and then", () => {
  equal(nextSize([], 3), undefined);
  const found = [{ low: 1334, high: 1340 }, { low: 1200, high: 1208 }];
  equal(nextSize(found, 3), 1200);
  equal(nextSize(found, 8), 1208);
  equal(nextSize([...found, { low: 1000, high: 1426 }], 3), 1213);
});
