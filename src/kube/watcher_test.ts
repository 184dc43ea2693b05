import { deepEqual, equal, ok } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { lanObject } from "../../tests/support/kube_objects.ts";
import {
  type Asked,
  type AskedList,
  type AskedWatch,
  ScriptedKubeApi,
} from "../../tests/support/scripted_kube_api.ts";
import { K8slanError } from "../base/errors.ts";
import { kubeErrorOf } from "./kube_error.ts";
import { type LanObject, LANS } from "./resources.ts";
import { type WatcherOptions, watchResource, type WatchTrouble } from "./watcher.ts";

const GONE = kubeErrorOf("watch", 410, { kind: "Status", reason: "Expired" });
const DOWN = new K8slanError("ApiServerUnreachable", "nobody there", { retriable: true });

/** A watcher, with its server and its clock in the hands of the test. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly server = new ScriptedKubeApi();
  readonly events: string[] = [];
  readonly troubles: WatchTrouble[] = [];
  ended = false;
  readonly #stop = new AbortController();

  constructor(options: Partial<WatcherOptions<LanObject>> = {}) {
    const all = {
      ...{ signal: this.#stop.signal, clock: this.clock, random: () => 1, ...options },
      onTrouble: (trouble: WatchTrouble) => this.troubles.push(trouble),
    };
    (async () => {
      for await (const event of watchResource(this.server.api, LANS, all)) {
        this.events.push(
          event.type === "synced"
            ? "synced"
            : `${event.type} ${event.object.metadata.name}@${event.object.metadata.resourceVersion}`,
        );
      }
      this.ended = true;
    })();
  }

  /** The one thing asked for, after `ms` milliseconds. */
  async asked(ms = 0): Promise<Asked> {
    await this.clock.advance(ms);
    const [asked, ...rest] = this.server.asked.splice(0);
    equal(rest.length, 0);
    ok(asked !== undefined, `Nothing is asked after ${ms} ms`);
    return asked;
  }

  async list(ms = 0): Promise<AskedList> {
    const asked = await this.asked(ms);
    ok(asked.kind === "list", "A watch is asked for");
    return asked;
  }

  async watch(resourceVersion: string, ms = 0): Promise<AskedWatch> {
    const asked = await this.asked(ms);
    ok(asked.kind === "watch", "A list is asked for");
    equal(asked.options.resourceVersion, resourceVersion);
    return asked;
  }

  /** The events since the last look. */
  async seen(): Promise<string[]> {
    await this.clock.advance(0);
    return this.events.splice(0);
  }

  /** Answers the first list, and returns the watch that follows. */
  async started(items: readonly LanObject[], resourceVersion = "5"): Promise<AskedWatch> {
    (await this.list()).answer({ items, resourceVersion });
    const watch = await this.watch(resourceVersion);
    this.events.splice(0);
    return watch;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

const [A1, A2, A3] = [lanObject("a", "1"), lanObject("a", "6"), lanObject("a", "9")];
const [B2, B4] = [lanObject("b", "2"), lanObject("b", "7")];

Deno.test("watchResource() tells what is there, then what changes", async () => {
  using bench = new Bench();
  (await bench.list()).answer({ items: [A1, B2], resourceVersion: "5" });
  deepEqual(await bench.seen(), ["applied a@1", "applied b@2", "synced"]);
  const watch = await bench.watch("5");
  deepEqual([watch.options.timeoutSeconds, watch.options.idleMs], [55, 60_000]);
  watch.send({ type: "modified", object: A2 });
  watch.send({ type: "deleted", object: B4 });
  watch.send({ type: "added", object: lanObject("c", "8") });
  deepEqual(await bench.seen(), ["applied a@6", "deleted b@7", "applied c@8"]);
  deepEqual(bench.troubles, []);
});

Deno.test("watchResource() collects all pages before it tells anything", async () => {
  using bench = new Bench({ pageSize: 1, namespace: "default", labelSelector: "x=y" });
  const first = await bench.list();
  const { namespace, labelSelector, limit } = first.options;
  deepEqual([namespace, labelSelector, limit], ["default", "x=y", 1]);
  first.answer({ items: [A1], resourceVersion: "5", continue: "p2" });
  deepEqual(await bench.seen(), []);
  const second = await bench.list();
  equal(second.options.continue, "p2");
  second.answer({ items: [B2], resourceVersion: "5" });
  deepEqual(await bench.seen(), ["applied a@1", "applied b@2", "synced"]);
});

Deno.test("watchResource() lists without pages when they expire on the way", async () => {
  using bench = new Bench();
  (await bench.list()).answer({ items: [A1], resourceVersion: "5", continue: "p2" });
  (await bench.list()).fail(GONE);
  deepEqual(await bench.seen(), []);
  const again = await bench.list(5_000);
  deepEqual([again.options.limit, again.options.continue], [undefined, undefined]);
  again.answer({ items: [A1, B2], resourceVersion: "5" });
  deepEqual(await bench.seen(), ["applied a@1", "applied b@2", "synced"]);
});

Deno.test("watchResource() goes on at the last event or bookmark when a watch ends", async () => {
  using bench = new Bench();
  const watch = await bench.started([A1]);
  watch.send({ type: "modified", object: A2 });
  await bench.clock.advance(55_000);
  watch.end();
  const second = await bench.watch("6");
  second.send({ type: "bookmark", resourceVersion: "70" });
  await bench.clock.advance(55_000);
  second.end();
  await bench.watch("70");
  deepEqual(await bench.seen(), ["applied a@6"]);
  deepEqual(bench.troubles, []);
});

Deno.test("watchResource() lists anew when the version is gone, and tells the missed deletes", async () => {
  using bench = new Bench();
  const watch = await bench.started([A1, B2]);
  await bench.clock.advance(60_000);
  watch.end(GONE);
  (await bench.list()).answer({ items: [A3], resourceVersion: "80" });
  deepEqual(await bench.seen(), ["deleted b@2", "applied a@9", "synced"]);
  await bench.watch("80");
  deepEqual(bench.troubles.map(({ during, next }) => [during, next]), [["watch", "list"]]);
});

Deno.test("watchResource() tells nothing of what a second list finds unchanged", async () => {
  using bench = new Bench();
  (await bench.started([A1, B2])).end(GONE);
  (await bench.list(5_000)).answer({ items: [A1, B2], resourceVersion: "80" });
  deepEqual(await bench.seen(), ["synced"]);
});

Deno.test("watchResource() tells that an object was replaced by another of its name", async () => {
  const other = (version: string, uid: string) => {
    const { metadata, ...rest } = lanObject("a", version);
    return { ...rest, metadata: { ...metadata, uid } };
  };
  using bench = new Bench();
  const watch = await bench.started([A1]);
  watch.send({ type: "modified", object: other("6", "second") });
  deepEqual(await bench.seen(), ["deleted a@1", "applied a@6"]);
  watch.end(GONE);
  (await bench.list(5_000)).answer({ items: [other("6", "third")], resourceVersion: "8" });
  deepEqual(await bench.seen(), ["deleted a@6", "applied a@6", "synced"]);
});

Deno.test("watchResource() believes an empty list only when it is so again 30 s later", async () => {
  using bench = new Bench();
  (await bench.started([A1, B2])).end(GONE);
  (await bench.list(5_000)).answer({ items: [], resourceVersion: "3" });
  await bench.clock.advance(29_999);
  deepEqual(bench.server.take(), []);
  deepEqual(await bench.seen(), []);
  (await bench.list(1)).answer({ items: [], resourceVersion: "3" });
  deepEqual(await bench.seen(), ["deleted a@1", "deleted b@2", "synced"]);
  await bench.watch("3");
});

Deno.test("watchResource() forgets an empty list that was followed by another", async () => {
  using bench = new Bench();
  (await bench.started([A1])).end(GONE);
  (await bench.list(5_000)).answer({ items: [], resourceVersion: "3" });
  (await bench.list(30_000)).answer({ items: [A1], resourceVersion: "9" });
  deepEqual(await bench.seen(), ["synced"]);
  (await bench.watch("9")).end(GONE);
  (await bench.list(5_000)).answer({ items: [], resourceVersion: "3" });
  await bench.clock.advance(29_999);
  deepEqual(bench.server.take(), []);
});

Deno.test("watchResource() believes an empty list where nothing was known", async () => {
  using bench = new Bench();
  (await bench.list()).answer({ items: [], resourceVersion: "3" });
  deepEqual(await bench.seen(), ["synced"]);
});

Deno.test("watchResource() tells deletes of what was known before it began", async () => {
  using bench = new Bench({ known: [A1, B2] });
  (await bench.list()).answer({ items: [A2], resourceVersion: "8" });
  deepEqual(await bench.seen(), ["deleted b@2", "applied a@6", "synced"]);
});

Deno.test("watchResource() tells deletes in a watch of objects it never saw", async () => {
  using bench = new Bench();
  const watch = await bench.started([]);
  watch.send({ type: "deleted", object: B4 });
  deepEqual(await bench.seen(), ["deleted b@7"]);
});

Deno.test("watchResource() knocks every 1.5 s while nobody answers, and names each step", async () => {
  using bench = new Bench();
  const watch = await bench.started([A1]);
  await bench.clock.advance(60_000);
  watch.end(DOWN);
  await bench.clock.advance(0);
  const waits: number[] = [];
  for (let n = 0; n < 12; n++) {
    waits.push(bench.clock.nextMs ?? -1);
    const asked = await bench.asked(bench.clock.nextMs ?? 0);
    if (asked.kind === "list") asked.fail(DOWN);
    else asked.end(DOWN);
    await bench.clock.advance(0);
  }
  deepEqual(waits, [500, 1_000, ...Array(10).fill(1_500)]);
  deepEqual(
    bench.troubles.slice(0, 5).map(({ during, next, afterMs }) => `${during} ${next} ${afterMs}`),
    ["watch watch 500", "watch list 1000", "list list 1500", "list list 1500", "list list 1500"],
  );
  (await bench.list(1_500)).answer({ items: [A1], resourceVersion: "90" });
  await bench.watch("90");
});

Deno.test("watchResource() tells when a list that it believes came, and when a watch began", async () => {
  let contacts = 0;
  using bench = new Bench({ onContact: () => contacts++ });
  const watch = await bench.started([A1]);
  equal(contacts, 1);
  watch.options.onOpen?.();
  equal(contacts, 2);
  watch.end(GONE);
  (await bench.list(5_000)).answer({ items: [], resourceVersion: "9" });
  await bench.clock.advance(0);
  equal(contacts, 2);
});

Deno.test("watchResource() ends with its signal, wherever it is", async () => {
  for (const upTo of ["start", "list", "watch", "wait"] as const) {
    const bench = new Bench();
    if (upTo !== "start") await bench.clock.advance(0);
    if (upTo === "watch" || upTo === "wait") {
      const watch = await bench.started([A1]);
      if (upTo === "wait") watch.end(DOWN);
    }
    bench[Symbol.dispose]();
    await bench.clock.advance(0);
    ok(bench.ended, upTo);
    equal(bench.clock.sleepers, 0);
  }
});
