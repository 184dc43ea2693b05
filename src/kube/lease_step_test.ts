import { deepEqual, equal, ok } from "node:assert/strict";
import {
  FIRST_LEASE_STATE,
  isHeld,
  LEASE_TIMING,
  type LeaseInput,
  type LeaseState,
  type SeenLease,
  stepLease,
} from "./lease_step.ts";

const NOW = 1_000_000;
const OURS: SeenLease = { resourceVersion: "5", holder: "me", durationMs: 15_000 };
const THEIRS: SeenLease = { resourceVersion: "5", holder: "other", durationMs: 15_000 };
const FREE: SeenLease = { resourceVersion: "5", durationMs: 1_000 };

const LEADER: LeaseState = { seen: OURS, seenAt: NOW - 2_000, heldUntil: NOW + 8_000 };
const LATE: LeaseState = { ...LEADER, heldUntil: NOW };
const waited = (ms: number, seen = THEIRS): LeaseState => ({ seen, seenAt: NOW - ms });

interface Row {
  readonly what: string;
  readonly state?: LeaseState;
  readonly input: LeaseInput;
  readonly then: string;
}

const read = (lease: SeenLease): LeaseInput => ({ kind: "read", lease });
const written = (sentAt: number): LeaseInput => ({ kind: "written", lease: OURS, sentAt });

const ROWS: readonly Row[] = [
  { what: "no lease is made", input: { kind: "read" }, then: "create after 0" },
  { what: "a released lease is taken at once", input: read(FREE), then: "take 5 after 0" },
  { what: "a stranger's lease is watched", input: read(THEIRS), then: "read after 2000" },
  {
    what: "an unchanged lease is watched until its time is over",
    ...{ state: waited(14_000), input: read(THEIRS), then: "read after 1000" },
  },
  {
    what: "a lease unchanged for its duration is taken",
    ...{ state: waited(15_000), input: read(THEIRS), then: "take 5 after 0" },
  },
  {
    what: "a lease that changed is watched anew, however long it was seen before",
    ...{ state: waited(60_000, { ...THEIRS, resourceVersion: "4" }) },
    ...{ input: read(THEIRS), then: "read after 2000" },
  },
  {
    what: "a lease that claims to last a year is taken after a minute",
    ...{ state: waited(60_000), input: read({ ...THEIRS, durationMs: 31e9 }) },
    then: "take 5 after 0",
  },
  { what: "a written lease is ours", input: written(NOW), then: "lead 10000, renew 5 after 2000" },
  {
    what: "the term counts from before the sending",
    ...{ input: written(NOW - 3_000), then: "lead 7000, renew 5 after 2000" },
  },
  {
    what: "a lease written too slowly is no term",
    ...{ input: written(NOW - 10_000), then: "renew 5 after 2000" },
  },
  {
    what: "a leader who finds another holder is none",
    ...{ state: LEADER, input: read(THEIRS), then: "read after 2000" },
  },
  {
    what: "a leader who finds no lease is none",
    ...{ state: LEADER, input: { kind: "read" }, then: "create after 0" },
  },
  {
    what: "a leader who finds the lease released is none",
    ...{ state: LEADER, input: read(FREE), then: "take 5 after 0" },
  },
  {
    what: "a leader who finds itself goes on, without a longer term",
    ...{ state: LEADER, input: read(OURS), then: "lead 8000, renew 5 after 0" },
  },
  {
    what: "a renewal whose answer was lost begins a term when repeated",
    ...{ input: read(OURS), then: "renew 5 after 0" },
  },
  {
    what: "a refused leader looks at once",
    ...{ state: LEADER, input: { kind: "refused" }, then: "lead 8000, read after 0" },
  },
  {
    what: "a leader without an answer looks soon",
    ...{ state: LEADER, input: { kind: "failed" }, then: "lead 8000, read after 2000" },
  },
  {
    what: "a leader without an answer until its term is over is none",
    ...{ state: LATE, input: { kind: "failed" }, then: "read after 2000" },
  },
  {
    what: "a refused leader whose term is over is none",
    ...{ state: LATE, input: { kind: "refused" }, then: "read after 0" },
  },
];

for (const { what, state = FIRST_LEASE_STATE, input, then } of ROWS) {
  Deno.test(`stepLease(): ${what}`, () => {
    const next = stepLease(state, input, "me", LEASE_TIMING, NOW);
    const { action } = next;
    const held = isHeld(next.state, NOW) ? `lead ${next.state.heldUntil! - NOW}, ` : "";
    const version = "resourceVersion" in action ? ` ${action.resourceVersion}` : "";
    equal(`${held}${action.do}${version} after ${action.afterMs}`, then);
  });
}

/** One process: its own clock, and what it believes. */
class Player {
  state = FIRST_LEASE_STATE;
  due = 0;
  action = "read";
  readonly skew: number;
  readonly name: string;

  constructor(name: string, skew: number) {
    this.name = name;
    this.skew = skew;
  }

  leads(now: number): boolean {
    return isHeld(this.state, now + this.skew);
  }
}

Deno.test("stepLease() never makes two leaders, whoever stands still, whatever clocks say", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let version = 1;
  let lease: SeenLease | undefined;
  const players = ["a", "b", "c"].map((name) => new Player(name, random() * 1e9));
  const terms = new Set<string>();
  for (let now = 0; now < 4_000_000; now += 100) {
    for (const player of players) {
      if (player.due > now) continue;
      if (random() < 0.01) { // stands still, or is cut off, for up to 40 s
        player.due = now + random() * 40_000;
        continue;
      }
      const at = now + player.skew;
      let input: LeaseInput;
      if (player.action === "read") {
        input = lease === undefined ? { kind: "read" } : { kind: "read", lease };
      } else if (player.action === "create" && lease !== undefined) {
        input = { kind: "refused" };
      } else if (player.action !== "create" && player.action !== lease?.resourceVersion) {
        input = { kind: "refused" };
      } else {
        lease = { resourceVersion: String(++version), holder: player.name, durationMs: 15_000 };
        // The answer may come late, or never.
        input = random() < 0.1
          ? { kind: "failed" }
          : { kind: "written", lease, sentAt: at - random() * 12_000 };
      }
      const next = stepLease(player.state, input, player.name, LEASE_TIMING, at);
      player.state = next.state;
      const { action } = next;
      player.action = "resourceVersion" in action ? action.resourceVersion : action.do;
      player.due = now + action.afterMs;
    }
    const leaders = players.filter((player) => player.leads(now)).map(({ name }) => name);
    ok(leaders.length <= 1, `At ${now}: ${leaders}`);
    for (const name of leaders) terms.add(name);
  }
  deepEqual([...terms].sort(), ["a", "b", "c"]);
});
