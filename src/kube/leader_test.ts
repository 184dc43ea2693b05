import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { K8slanError } from "../base/errors.ts";
import { FencedKubeApi } from "./fenced_kube_api.ts";
import { runAsLeader } from "./leader.ts";
import type { LeaderTerm } from "./leader_term.ts";
import { LANS, LEASES } from "./resources.ts";

const KEY = { namespace: "k8slan-system", name: "controller" };

/** Processes that share a lease; each leads until its term ends. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly api = new FakeKubeApi();
  readonly log = new LogRecorder();
  readonly history: string[] = [];
  readonly terms = new Map<string, LeaderTerm>();
  readonly #stops: { readonly stop: AbortController; readonly ended: Promise<unknown> }[] = [];

  /** `api` is what this process sees of the server. */
  start(identity: string, { api = this.api, ended: dead = "none" } = {}): AbortController {
    const stop = new AbortController();
    const { clock, log } = this;
    const hasEnded = (holder: string) => holder.startsWith(dead);
    const options = { api, lease: KEY, identity, hasEnded, signal: stop.signal, log, clock };
    const ended = runAsLeader(options, async (term) => {
      this.history.push(`${identity} leads`);
      this.terms.set(identity, term);
      await clock.sleep(Infinity, term.signal);
      this.history.push(`${identity} stops`);
    }).then((how) => this.history.push(`${identity} ${how}`));
    this.#stops.push({ stop, ended });
    return stop;
  }

  async holder(): Promise<string | undefined> {
    return (await this.api.get(LEASES, KEY))?.spec?.holderIdentity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.onCall = () => {};
    for (const { stop } of this.#stops) stop.abort();
    await this.clock.advance(60_000);
    await Promise.all(this.#stops.map(({ ended }) => ended));
  }
}

Deno.test("runAsLeader() leads at once where there is no lease, and renews it", async () => {
  await using bench = new Bench();
  bench.start("a");
  await bench.clock.advance(60_000);
  deepEqual(bench.history, ["a leads"]);
  const lease = await bench.api.get(LEASES, KEY);
  equal(lease?.spec?.holderIdentity, "a");
  equal(lease?.spec?.leaseDurationSeconds, 15);
  equal(lease?.spec?.leaseTransitions, 0);
  ok(/^\d{4}-.*\.\d{6}Z$/.test(lease?.spec?.renewTime ?? ""));
  const renewals = bench.api.calls.filter((call) => call.startsWith("replace")).length;
  ok(renewals >= 29 && renewals <= 31, String(renewals));
});

Deno.test("runAsLeader() lets one lead, and the next within 2 s of its release", async () => {
  await using bench = new Bench();
  const a = bench.start("a");
  await bench.clock.advance(1_000);
  bench.start("b");
  await bench.clock.advance(100_000);
  deepEqual(bench.history, ["a leads"]);
  a.abort();
  await bench.clock.advance(2_000);
  deepEqual(bench.history, ["a leads", "a stops", "a ended", "b leads"]);
  equal((await bench.api.get(LEASES, KEY))?.spec?.leaseTransitions, 1);
});

Deno.test("runAsLeader() takes the lease of one that is known to have ended at once", async () => {
  await using bench = new Bench();
  await bench.api.create(LEASES, {
    metadata: { ...KEY },
    spec: { holderIdentity: "pod_1", leaseDurationSeconds: 15 },
  });
  bench.start("other");
  bench.start("pod_2", { ended: "pod_" });
  await bench.clock.advance(100);
  deepEqual(bench.history, ["pod_2 leads"]);
  // Its own lease is not that of one that has ended, even if it has to look at it.
  bench.api.onCall = (call) => {
    if (call.startsWith("replace")) {
      bench.api.onCall = () => {};
      throw new Error("away");
    }
  };
  await bench.clock.advance(60_000);
  deepEqual(bench.history, ["pod_2 leads"]);
});

Deno.test("runAsLeader() waits for the work to end before others may begin", async () => {
  const { clock, api, log } = new Bench();
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const options = { api, lease: KEY, identity: "a", signal: stop.signal, log, clock };
  const running = runAsLeader(options, async (term) => {
    await clock.sleep(Infinity, term.signal);
    await promise;
  });
  await clock.advance(1_000);
  stop.abort();
  await clock.advance(60_000);
  const renewals = api.calls.length;
  ok(renewals > 20, "It renews while the work ends");
  equal((await api.get(LEASES, KEY))?.spec?.holderIdentity, "a");
  resolve();
  await clock.advance(0);
  equal(await running, "ended");
  equal((await api.get(LEASES, KEY))?.spec?.holderIdentity, "");
});

Deno.test("runAsLeader() stops leading when nobody answers, before others may begin", async () => {
  await using bench = new Bench();
  bench.start("a");
  await bench.clock.advance(1_000);
  bench.start("b");
  await bench.clock.advance(20_000);
  // From now on the server is out of reach for "a" alone.
  const lastRenewal = bench.clock.now();
  bench.api.onCall = (verb) => {
    if (verb === "replace") throw new K8slanError("ApiServerUnreachable", "cut off");
  };
  await bench.clock.advance(8_000);
  deepEqual(bench.history, ["a leads"]);
  await bench.clock.advance(2_000);
  deepEqual(bench.history, ["a leads", "a stops", "a lost"]);
  bench.api.onCall = () => {};
  await bench.clock.advance(8_000);
  deepEqual(bench.history.slice(3), ["b leads"]);
  ok(bench.clock.now() - lastRenewal < 20_000);
});

Deno.test("LeaderTerm knows that it is over before any timer does", async () => {
  await using bench = new Bench();
  bench.start("a");
  await bench.clock.advance(1_000);
  const term = bench.terms.get("a")!;
  term.assertHeld();
  const fenced = new FencedKubeApi(bench.api, term);
  const lan = await fenced.create(LANS, { metadata: { name: "x", namespace: "y" }, spec: {} });
  bench.clock.jump(60_000); // the process stood still; nothing has run yet
  equal(term.signal.aborted, false);
  const calls = bench.api.calls.length;
  const notLeader = { code: "NotLeader" };
  await rejects(fenced.replace(LANS, { ...lan, spec: { vni: 5 } }), notLeader);
  ok(term.signal.aborted);
  await rejects(fenced.delete(LANS, { name: "x", namespace: "y" }), notLeader);
  await rejects(fenced.create(LANS, lan), notLeader);
  const patch = { type: "merge", body: {} } as const;
  await rejects(fenced.patch(LANS, { name: "x", namespace: "y" }, patch), notLeader);
  equal(bench.api.calls.length, calls);
  throws(() => term.assertHeld(), notLeader);
  await bench.clock.advance(0);
  deepEqual(bench.history, ["a leads", "a stops", "a lost"]);
});

Deno.test("runAsLeader() is refused by the version when it stood still for too long", async () => {
  await using bench = new Bench();
  const { api } = bench;
  bench.start("a");
  await bench.clock.advance(1_000);
  // "a" stands still; meanwhile somebody else takes the lease.
  bench.clock.jump(60_000);
  const lease = (await api.get(LEASES, KEY))!;
  await api.replace(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: "b" } });
  await bench.clock.advance(5_000);
  deepEqual(bench.history, ["a leads", "a stops", "a lost"]);
  equal(await bench.holder(), "b");
});

Deno.test("runAsLeader() gives up leadership when the lease is taken or deleted by hand", async () => {
  for (const by of ["taken", "deleted"] as const) {
    await using bench = new Bench();
    bench.start("a");
    await bench.clock.advance(1_000);
    if (by === "deleted") await bench.api.delete(LEASES, KEY);
    else {
      const body = { spec: { holderIdentity: "admin" } };
      await bench.api.patch(LEASES, KEY, { type: "merge", body });
    }
    await bench.clock.advance(3_000);
    deepEqual(bench.history, ["a leads", "a stops", "a lost"]);
    equal(await bench.holder(), by === "taken" ? "admin" : undefined);
  }
});

Deno.test("runAsLeader() goes on when somebody else changed the lease's labels", async () => {
  await using bench = new Bench();
  bench.start("a");
  await bench.clock.advance(1_000);
  const body = { metadata: { labels: { x: "y" } } };
  await bench.api.patch(LEASES, KEY, { type: "merge", body });
  await bench.clock.advance(60_000);
  deepEqual(bench.history, ["a leads"]);
  deepEqual((await bench.api.get(LEASES, KEY))?.metadata.labels, { x: "y" });
});

Deno.test("runAsLeader() makes one leader of many who begin at once", async () => {
  await using bench = new Bench();
  for (let n = 0; n < 10; n++) bench.start(`p${n}`);
  await bench.clock.advance(60_000);
  equal(bench.history.length, 1);
});

Deno.test("runAsLeader() ends while it waits, and warns once of a server that is away", async () => {
  const bench = new Bench();
  bench.api.onCall = () => {
    throw new K8slanError("ApiServerUnreachable", "nobody there");
  };
  bench.start("a");
  await bench.clock.advance(60_000);
  deepEqual(bench.log.messages("warn"), ["The lease can't be read"]);
  await bench[Symbol.asyncDispose]();
  deepEqual(bench.history, ["a ended"]);
  equal(bench.clock.sleepers, 0);
});

Deno.test("runAsLeader() releases the lease when the work fails, and fails too", async () => {
  const { clock, api, log } = new Bench();
  const { signal } = new AbortController();
  const options = { api, lease: KEY, identity: "a", signal, log, clock };
  const leading = rejects(
    runAsLeader(options, () => Promise.reject(new Error("broken"))),
    /broken/,
  );
  await clock.advance(0);
  await leading;
  equal((await api.get(LEASES, KEY))?.spec?.holderIdentity, "");
});
