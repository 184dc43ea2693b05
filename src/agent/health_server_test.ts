import assert from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { until } from "../../tests/support/until.ts";
import { metric } from "../base/metrics_text.ts";
import { HealthServer } from "./health_server.ts";

/** A server at work, and what it looks at. */
class Setting implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new LogRecorder();
  readonly server: HealthServer;
  failure: Error | undefined;
  missing: string | undefined;
  tests = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(port = 0) {
    this.server = new HealthServer({
      port,
      selfTest: () => {
        this.tests++;
        if (this.failure !== undefined) throw this.failure;
      },
      checks: { kubelet: () => this.missing, socket: () => undefined },
      metrics: () => [metric("gauge", "a", "As", 1)],
      ...{ log: this.log, clock: this.clock },
    });
    this.#running = this.server.run(this.#stop.signal);
  }

  async get(path: string, method = "GET"): Promise<readonly [number, string]> {
    const url = `http://127.0.0.1:${this.server.port}${path}`;
    const answer = await fetch(url, { method, headers: { connection: "close" } });
    return [answer.status, await answer.text()];
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

Deno.test("HealthServer says that all is well", async () => {
  await using setting = new Setting();
  assert.deepEqual(await setting.get("/healthz"), [200, "ok\n"]);
  assert.deepEqual(await setting.get("/readyz"), [200, "ok\n"]);
});

Deno.test("HealthServer tells what is missing, which is no reason to restart", async () => {
  await using setting = new Setting();
  setting.missing = "No kubelet listens";
  assert.deepEqual(await setting.get("/healthz"), [200, "ok\n"]);
  assert.deepEqual(await setting.get("/readyz"), [503, "kubelet: No kubelet listens\n"]);
});

Deno.test("HealthServer tells of a self-test that fails", async () => {
  await using setting = new Setting();
  setting.failure = new Error("no buffer space");
  setting.missing = "No kubelet listens";
  const said = "self-test: no buffer space\n";
  assert.deepEqual(await setting.get("/healthz"), [503, said]);
  assert.deepEqual(await setting.get("/readyz"), [503, `${said}kubelet: No kubelet listens\n`]);
});

Deno.test("HealthServer tests itself once a second, however often it is asked", async () => {
  await using setting = new Setting();
  for (let i = 0; i < 10; i++) await setting.get("/healthz");
  assert.equal(setting.tests, 1);
  setting.failure = new Error("no buffer space");
  await setting.clock.advance(1_000);
  assert.equal((await setting.get("/healthz"))[0], 503);
});

Deno.test("HealthServer gives figures as Prometheus reads them", async () => {
  await using setting = new Setting();
  assert.deepEqual(await setting.get("/metrics"), [200, "# HELP a As\n# TYPE a gauge\na 1\n"]);
});

Deno.test("HealthServer takes nothing but GET, and no other path", async () => {
  await using setting = new Setting();
  assert.equal((await setting.get("/metrics", "POST"))[0], 405);
  assert.equal((await setting.get("/"))[0], 404);
});

Deno.test("HealthServer waits for a port that another program has", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr;
  await using setting = new Setting(port);
  await setting.clock.advance(60_000);
  other.close();
  assert.equal(setting.server.port, undefined);
  await setting.clock.advance(10_000);
  await until("it serves", () => setting.server.port === port);
  assert.deepEqual(await setting.get("/healthz"), [200, "ok\n"]);
  assert.deepEqual(setting.log.messages("warn"), ["Cannot serve health; trying again"]);
});

Deno.test("HealthServer stops although somebody never finishes a request", async () => {
  const setting = new Setting();
  using idle = await Deno.connect({ hostname: "127.0.0.1", port: setting.server.port! });
  await idle.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  await idle.read(new Uint8Array(1000));
  using slow = await Deno.connect({ hostname: "127.0.0.1", port: setting.server.port! });
  await slow.write(new TextEncoder().encode("GET /healthz HTT"));
  const started = performance.now();
  await setting.stop();
  assert.ok(performance.now() - started < 2_000);
});
