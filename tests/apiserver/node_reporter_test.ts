/** What a real API server makes of the LANNode objects that agents write. */

import assert from "node:assert/strict";
import type { AttachmentOnNode, LanNodeStatus, LanOnNode } from "../../src/api/lan_node.ts";
import { isSameJson } from "../../src/base/same_json.ts";
import { NodeReporter } from "../../src/cluster/node_reporter.ts";
import { cutReport } from "../../src/cluster/report_limits.ts";
import { FetchKubeApi } from "../../src/kube/fetch_kube_api.ts";
import { LAN_NODES, type LanNodeObject } from "../../src/kube/resources.ts";
import { watchResource } from "../../src/kube/watcher.ts";
import { ApiServer } from "../support/api_server.ts";
import { installLanNodeCrd } from "../support/lan_crd.ts";
import { LogRecorder } from "../support/log_recorder.ts";
import { until } from "../support/until.ts";

let server: ApiServer;
let api: FetchKubeApi;

Deno.test.beforeAll(async () => {
  server = await ApiServer.start();
  api = new FetchKubeApi(server.access(), { userAgent: "test", perSecond: 500, burst: 500 });
  await installLanNodeCrd(api);
});

Deno.test.afterAll(async () => {
  api[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** A reporter of a node, and the watch that it needs. */
class Agent implements AsyncDisposable {
  readonly log = new LogRecorder();
  readonly reporter: NodeReporter;
  status: LanNodeStatus;
  readonly #node: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(node: string, status: LanNodeStatus) {
    this.#node = node;
    this.status = status;
    this.reporter = new NodeReporter({ api, node, report: () => this.status, log: this.log });
    const { signal } = this.#stop;
    this.#running = Promise.all([this.reporter.run(signal), this.#watch(signal)]);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for await (const event of watchResource(api, LAN_NODES, { signal })) {
      if (event.type === "synced" || event.object.metadata.name !== this.#node) continue;
      this.reporter.seen(event.type === "deleted" ? undefined : event.object);
    }
  }

  say(status: LanNodeStatus): void {
    this.status = status;
    this.reporter.changed();
  }

  stored(): Promise<LanNodeObject | undefined> {
    return api.get(LAN_NODES, { name: this.#node });
  }

  /** Waits until the stored status is the agent's, and returns the object. */
  async agreed(): Promise<LanNodeObject> {
    return await until("the status is stored", async () => {
      const object = await this.stored();
      return isSameJson(object?.status, this.status) ? object : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

function lanOnNode(number: number, change: Partial<LanOnNode> = {}): LanOnNode {
  const uid = `0d5b2a1c-7f0e-4c58-9f6a-${String(number).padStart(12, "0")}`;
  const names = { namespace: "default", name: `lan${number}`, uid };
  return { ...names, attached: 1, ready: true, underlay: "eth1", mtu: 1426, ...change };
}

function attachmentOnNode(number: number): AttachmentOnNode {
  const { uid } = lanOnNode(number);
  return {
    ...{ lanUid: uid, spoke: `s${number}`, attach: "macvtap", ifname: "net1" },
    containerID: String(number).padStart(64, "c"),
    mac: "02:00:00:00:00:01",
    pod: { namespace: "default", name: `pod-${number}`, uid },
  };
}

const PROBLEM = { reason: "AliasTaken", message: "m" };

Deno.test("NodeReporter writes, takes out, puts right and makes anew", async () => {
  await using agent = new Agent("worker1", { version: "0.1.0", attached: 0, problems: [PROBLEM] });
  await agent.agreed();
  const lans = [lanOnNode(1, { ready: false, conditions: [PROBLEM] }), lanOnNode(2)];
  agent.say({ version: "0.1.0", attached: 1, lans, attachments: [attachmentOnNode(1)] });
  await agent.agreed();
  agent.say({ version: "0.1.0", attached: 1, lans: [lanOnNode(2)] });
  const { metadata } = await agent.agreed();
  const body = { status: { attached: 7, attachments: [attachmentOnNode(3)] } };
  await api.patch(LAN_NODES, { name: "worker1" }, { type: "merge", body }, {
    subresource: "status",
  });
  await agent.agreed();
  await api.delete(LAN_NODES, { name: "worker1" });
  assert.notEqual((await agent.agreed()).metadata.uid, metadata.uid);
});

Deno.test("NodeReporter writes nothing after a restart, and each state once", async () => {
  const status = { version: "0.1.0", attached: 1, lans: [lanOnNode(1)], problems: [PROBLEM] };
  let version: string;
  {
    await using agent = new Agent("worker2", status);
    version = (await agent.agreed()).metadata.resourceVersion;
    await until("it is counted", () => agent.reporter.state.writes === 1);
  }
  await using agent = new Agent("worker2", structuredClone(status));
  agent.say({ ...status, attached: 2 });
  assert.notEqual((await agent.agreed()).metadata.resourceVersion, version);
  for (let attached = 3; attached <= 6; attached++) {
    agent.say({ ...status, attached });
    await agent.agreed();
  }
  await until("all are counted", () => agent.reporter.state.writes === 5);
});

Deno.test("cutReport() makes objects that an API server takes", async () => {
  const conditions = [{ reason: "UnderlayDown", message: "Underlay device is down ".repeat(5) }];
  const list = <T>(length: number, make: (number: number) => T) =>
    Array.from({ length }, (_, number) => make(number));
  const status = cutReport({
    version: "0.1.0",
    lans: list(4000, (number) => lanOnNode(number, { conditions, ready: false })),
    attachments: list(6000, attachmentOnNode),
    attached: 6000,
    unattached: list(100, (number) => ({
      ...{ lanUid: lanOnNode(number).uid, spoke: "s".repeat(63) },
      pod: { namespace: "n".repeat(253), name: "p".repeat(253) },
    })),
    problems: list(100, () => ({ reason: "Broken", message: "m".repeat(5000) })),
  });
  await using agent = new Agent("worker3", status);
  await agent.agreed();
  assert.ok(JSON.stringify(status).length > 800_000);
  agent.say({ ...status, attached: 6001 });
  await agent.agreed();
  assert.deepEqual(agent.log.messages("warn"), []);
});
