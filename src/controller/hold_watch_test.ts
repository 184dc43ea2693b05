import { equal } from "node:assert/strict";
import type { LanStatus } from "../api/lan_status.ts";
import { HoldWatch } from "./hold_watch.ts";

const HOLD_MS = 5_000;

/** What one leader sees of a LAN, moment by moment: what is wrong with it, as in `a b`. */
class Sight {
  readonly #watch = new HoldWatch<string>({
    ...{ reason: "Bad", holdMs: HOLD_MS },
    keyOf: (thing) => thing.replace("!", ""),
    isSure: (thing) => thing.endsWith("!"),
  });
  readonly #status: LanStatus | undefined;

  constructor(reason?: string) {
    const said = {
      type: "NodesReady",
      status: "False",
      message: "",
      lastTransitionTime: "",
    } as const;
    this.#status = reason === undefined ? undefined : { conditions: [{ ...said, reason }] };
  }

  /** As in `a, again in 5000`: what lasts, and when to look again; `a!` is sure. */
  at(now: number, wrong: string): string {
    const found = wrong.split(" ").filter((thing) => thing !== "");
    const { lasting, againMs } = this.#watch.look("lan", found, this.#status, now);
    const again = againMs === undefined ? [] : [`again in ${againMs}`];
    return [lasting.join(" "), ...again].join(", ");
  }

  forget(): void {
    this.#watch.forget("lan");
  }
}

Deno.test("HoldWatch tells of what stays wrong, and looks again when it is due", () => {
  const sight = new Sight();
  equal(sight.at(0, ""), "");
  equal(sight.at(100, "a"), `, again in ${HOLD_MS}`);
  equal(sight.at(1_100, "a b"), `, again in ${HOLD_MS - 1_000}`);
  equal(sight.at(100 + HOLD_MS, "a b"), "a, again in 1000");
  equal(sight.at(1_100 + HOLD_MS, "a b"), "a b");
  equal(sight.at(1_200 + HOLD_MS, "b"), "b");
  equal(sight.at(1_300 + HOLD_MS, ""), "");
});

Deno.test("HoldWatch does not tell of what is so for a moment, however often", () => {
  const sight = new Sight();
  for (let now = 0; now < 10 * HOLD_MS; now += HOLD_MS) {
    equal(sight.at(now, "a"), `, again in ${HOLD_MS}`);
    equal(sight.at(now + HOLD_MS - 1, ""), "");
  }
});

Deno.test("HoldWatch goes on with what a former leader has told of, and waits with all else", () => {
  const told = new Sight("Bad");
  equal(told.at(0, "a"), "a");
  equal(told.at(1, "a b"), `a, again in ${HOLD_MS}`);
  equal(told.at(2, ""), "");
  equal(told.at(3, "a"), `, again in ${HOLD_MS}`);
  equal(new Sight("Degraded").at(0, "a"), `, again in ${HOLD_MS}`);
});

Deno.test("HoldWatch tells at once of what is sure, for as long as it is there at all", () => {
  const sight = new Sight();
  equal(sight.at(0, "a! b"), `a!, again in ${HOLD_MS}`);
  equal(sight.at(1, "a b"), `a, again in ${HOLD_MS - 1}`);
  equal(sight.at(2, "b!"), "b!");
  equal(sight.at(3, "a b"), `b, again in ${HOLD_MS}`);
});

Deno.test("HoldWatch forgets a LAN that is gone", () => {
  const sight = new Sight();
  sight.at(0, "a");
  sight.forget();
  equal(sight.at(HOLD_MS, "a"), `, again in ${HOLD_MS}`);
});
