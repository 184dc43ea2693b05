import { deepEqual, equal, match, ok } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeKubeApi } from "../../tests/support/fake_kube_api.ts";
import { lanObject } from "../../tests/support/kube_objects.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { EventRecorder, type EventText } from "./event_recorder.ts";
import { kubeErrorOf } from "./kube_error.ts";
import { EVENTS, type KubeEvent } from "./resources.ts";

const LAN = lanObject("lan1");
const TEXT: EventText = {
  type: "Warning",
  reason: "Conflict",
  action: "Accept",
  note: "VNI 5 is taken",
};

class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly api = new FakeKubeApi();
  readonly log = new LogRecorder();
  readonly recorder = new EventRecorder({
    ...{ api: this.api, log: this.log, clock: this.clock },
    ...{ controller: "lan.k8slan.io/controller", instance: "pod-1" },
    date: () => new Date(this.clock.now()),
  });
  readonly #stop = new AbortController();
  readonly #running = this.recorder.run(this.#stop.signal);

  async events(): Promise<readonly KubeEvent[]> {
    await this.clock.advance(0);
    return (await this.api.list(EVENTS)).items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

Deno.test("EventRecorder makes an event that names object, reason and who says so", async () => {
  await using bench = new Bench();
  bench.recorder.record(LAN, TEXT);
  const [event, ...rest] = await bench.events();
  equal(rest.length, 0);
  const { metadata, apiVersion: _1, kind: _2, ...body } = event!;
  equal(metadata.namespace, "default");
  match(metadata.name, /^lan1\.[0-9a-f]{16}$/);
  deepEqual(body, {
    ...TEXT,
    eventTime: "1970-01-01T00:16:40.000000Z",
    regarding: {
      ...{ apiVersion: "lan.k8slan.io/v1beta1", kind: "LAN", name: "lan1", namespace: "default" },
      ...{ uid: "uid-of-lan1", resourceVersion: "1" },
    },
    reportingController: "lan.k8slan.io/controller",
    reportingInstance: "pod-1",
  });
});

Deno.test("EventRecorder counts repetitions in one event, told of once a minute", async () => {
  await using bench = new Bench();
  for (let n = 0; n < 120; n++) {
    bench.recorder.record(LAN, { ...TEXT, note: `VNI ${n} is taken` });
    await bench.clock.advance(1_000);
  }
  await bench.clock.advance(60_000);
  const [event, ...rest] = await bench.events();
  equal(rest.length, 0);
  equal(event?.series?.count, 120);
  equal(event?.note, "VNI 0 is taken");
  const writes = bench.api.calls.filter((call) => !call.startsWith("list"));
  deepEqual(writes.map((call) => call.split(" ")[0]), ["create", "patch", "patch"]);
});

Deno.test("EventRecorder begins anew after ten quiet minutes", async () => {
  await using bench = new Bench();
  bench.recorder.record(LAN, TEXT);
  await bench.clock.advance(601_000);
  bench.recorder.record(LAN, TEXT);
  equal((await bench.events()).length, 2);
});

Deno.test("EventRecorder makes an event again that has gone meanwhile", async () => {
  await using bench = new Bench();
  bench.recorder.record(LAN, TEXT);
  const [{ metadata: { name, namespace } }] = await bench.events() as [KubeEvent];
  await bench.api.delete(EVENTS, { name, namespace: namespace! });
  bench.recorder.record(LAN, TEXT);
  await bench.clock.advance(60_000);
  equal((await bench.events())[0]?.series?.count, 2);
});

Deno.test("EventRecorder drops what one object makes too much of, and says how many", async () => {
  await using bench = new Bench();
  for (let n = 0; n < 50; n++) bench.recorder.record(LAN, { ...TEXT, reason: `R${n}` });
  bench.recorder.record(lanObject("other"), TEXT);
  equal((await bench.events()).length, 21);
  deepEqual(bench.log.records.map(({ count }) => count), [30]);
  await bench.clock.advance(31_000);
  bench.recorder.record(LAN, { ...TEXT, reason: "Later" });
  equal((await bench.events()).length, 22);
});

Deno.test("EventRecorder remembers no more than a thousand, however many are recorded", async () => {
  await using bench = new Bench();
  for (let n = 0; n < 5_000; n++) bench.recorder.record(lanObject(`lan${n}`), TEXT);
  equal((await bench.events()).length, 1_000);
});

Deno.test("EventRecorder never fails: what isn't taken is logged", async () => {
  await using bench = new Bench();
  bench.api.onCall = (verb) => {
    if (verb === "create") throw kubeErrorOf("create events", 403, "");
  };
  bench.recorder.record(LAN, TEXT);
  bench.recorder.record(LAN, { ...TEXT, reason: "Other" });
  equal((await bench.events()).length, 0);
  deepEqual(bench.log.messages("warn"), ["Event is lost", "Event is lost"]);
});

Deno.test("EventRecorder cuts a note to what the API server takes", async () => {
  await using bench = new Bench();
  bench.recorder.record(LAN, { ...TEXT, note: `x${"ü".repeat(2_000)}` });
  const note = (await bench.events())[0]?.note ?? "";
  const bytes = new TextEncoder().encode(note).length;
  ok(bytes <= 1_024 && bytes >= 1_021, String(bytes));
  match(note, /^xü+…$/);
});
