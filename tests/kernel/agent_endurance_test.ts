/** Nonsense and long use: the agent answers everything, and neither grows nor keeps anything open. */

import assert from "node:assert/strict";
import { quantile } from "../../scripts/benchmarks/stats.ts";
import type { AgentAnswer } from "../../src/api/agent_protocol.ts";
import { exchangeLine } from "../../src/base/line_exchange.ts";
import {
  type AgentLab,
  type AgentNode,
  createAgentLab,
  seedLan,
  type Workload,
} from "../support/agent_lab.ts";
import { rootTest } from "../support/netns_lab.ts";
import { takePicture, untilPicture } from "../support/node_picture.ts";
import { randomInts } from "../support/random.ts";
import { settled } from "../support/settled.ts";
import { until } from "../support/until.ts";

const LAN = "k8slan-system/lan-test";
const SEED = 20_261_123;
/** Megabytes. */
const GROWTH_MAX = 20;

type Random = (below: number) => number;

rootTest("SocketServer answers every line, however senseless, and stays as it was", async () => {
  await using lab = await prepared();
  const node = lab.node("worker1");
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  const random = randomInts(SEED);
  // The heap takes its size, and is fuller and emptier by turns: the fullest counts.
  let megabytes = 0;
  for (let part = 0; part < 10; part++) {
    await askAll(node, 1_000, () => senseless(random));
    megabytes = Math.max(megabytes, usage(node).megabytes);
  }
  const picture = await settled(() => takePicture(node, [pod]));
  const before = { ...usage(node), megabytes };
  const slow = await askAll(node, 3_000, () => senseless(random));
  assert.ok(slow < 2_000, `One answer of a hundred took ${slow} ms or more`);
  await untilPicture("nothing has changed", () => takePicture(node, [pod]), picture);
  await isNoBigger(node, before);
});

rootTest(
  "SocketServer answers what is too long, and serves on beside connections that dawdle",
  async () => {
    await using lab = await prepared();
    const node = lab.node("worker1");
    const answer = await ask(node, "x".repeat((1 << 20) + 10));
    assert.match(JSON.stringify(answer), /longer than 1048576 bytes/);
    const idle = await Promise.all(
      Array.from({ length: 60 }, () => Deno.connect({ transport: "unix", path: node.socket })),
    );
    try {
      for (const connection of idle) await connection.write(new TextEncoder().encode(`{"op":`));
      assert.equal((await ask(node, `{"op":"ready"}`)).ok, true);
      const { agent } = node;
      const started = performance.now();
      await node.stop("SIGTERM");
      assert.equal((await agent.ended).code, 0);
      assert.ok(performance.now() - started < 9_000, "Ending waited for idle connections");
    } finally {
      for (const connection of idle) connection.close();
    }
  },
);

rootTest("AttachService takes back what nobody waits for any more", async () => {
  await using lab = await prepared();
  const node = lab.node("worker1");
  const pod = await lab.addWorkload("pod");
  const before = await takePicture(node, [pod]);
  const config = { cniVersion: "1.1.0", name: "lan", type: "k8slan", lan: LAN, spoke: "pod1" };
  const request = { op: "add", containerId: "pod", ifname: "net1", netns: pod.netns, config };
  for (let time = 0; time < 5; time++) {
    const { length } = node.agent.output;
    // Or it might answer before the connection is closed, and never learn that nobody reads that.
    node.agent.kill("SIGSTOP");
    const connection = await Deno.connect({ transport: "unix", path: node.socket });
    await connection.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    connection.close();
    node.agent.kill("SIGCONT");
    await until("it was attached and taken back", () => {
      return /Detached/.test(node.agent.output.slice(length));
    });
  }
  await untilPicture("nothing is left", () => takePicture(node, [pod]), before);
});

rootTest("DEL of whatever comes to mind succeeds, thousands of times", async () => {
  await using lab = await prepared();
  const node = lab.node("worker1");
  const pod = await lab.addWorkload("pod");
  await node.attach(pod, { lan: LAN, spoke: "pod1" });
  const random = randomInts(SEED);
  const before = await settled(() => takePicture(node, [pod]));
  const anyDelete = () =>
    JSON.stringify({
      op: "del",
      // Sometimes one that is attached, by an interface that is not.
      containerId: random(10) === 0 ? "pod" : word(random, 1 + random(64)),
      ifname: `x${random(1_000)}`,
      ...(random(3) === 0 ? {} : { netns: [pod.netns, "", "/nothing", "/dev/null"][random(4)] }),
    });
  const answers: AgentAnswer[] = [];
  await askAll(node, 3_000, anyDelete, (answer) => answers.push(answer));
  assert.deepEqual(answers.filter(({ ok }) => !ok), []);
  assert.equal(answers.length, 3_000);
  await untilPicture("nothing has changed", () => takePicture(node, [pod]), before);
});

rootTest(
  "agentMain() keeps nothing open over 200 attachments, and does not grow",
  async () => {
    await using lab = await prepared();
    const node = lab.node("worker1");
    const pods = [await lab.addWorkload("a"), await lab.addWorkload("b")] as const;
    const round = async () => {
      await Promise.all([
        node.attach(pods[0], { lan: LAN, spoke: "pod1" }),
        node.attach(pods[1], { lan: LAN, attach: "veth" }),
      ]);
      await Promise.all(pods.map((pod) => node.detach(pod)));
    };
    for (let time = 0; time < 25; time++) await round();
    await isAtRest(node, pods);
    const before = usage(node);
    const picture = await takePicture(node, pods);
    for (let time = 0; time < 100; time++) await round();
    await untilPicture("nothing is left", () => takePicture(node, pods), picture);
    await isNoBigger(node, before);
  },
);

async function prepared(): Promise<AgentLab> {
  const lab = await createAgentLab({ nodes: 1, logLevel: "info" });
  try {
    await lab.putLan(seedLan(lab));
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Some lines at a time, each by a connection of its own. Returns within how many milliseconds 99 of a
 * hundred answers came.
 */
async function askAll(
  node: AgentNode,
  count: number,
  line: () => string,
  hear: (answer: AgentAnswer) => void = () => {},
): Promise<number> {
  let left = count;
  const times: number[] = [];
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left-- > 0) {
      const started = performance.now();
      hear(await ask(node, line()));
      times.push(performance.now() - started);
    }
  }));
  return quantile(times, 0.99);
}

async function ask(node: AgentNode, line: string): Promise<AgentAnswer> {
  const limits = { deadlineMs: 15_000, maxLength: 1 << 20 };
  const answer: AgentAnswer = JSON.parse(await exchangeLine(node.socket, line, limits));
  assert.equal(typeof answer.ok, "boolean");
  return answer;
}

/** A request that is nothing, or nearly something; never one that could be carried out. */
function senseless(random: Random): string {
  switch (random(5)) {
    case 0:
      return String.fromCharCode(...Array.from({ length: random(200) }, () => 32 + random(5_000)));
    case 1:
      return "[".repeat(random(20_000)) + "]".repeat(random(20_000));
    case 2:
      return JSON.stringify(anyValue(random, 4));
    default:
      return JSON.stringify(spoilt(random));
  }
}

/** A request of a known kind, with some fields replaced, removed or added. */
function spoilt(random: Random): unknown {
  const request: Record<string, unknown> = {
    op: ["add", "del", "check", "configure", "gc", "view", "ready"][random(7)],
    containerId: "nobody",
    ifname: "net1",
    netns: "/nothing/here",
    config: { cniVersion: "1.1.0", name: "lan", type: "k8slan", lan: LAN, spoke: "pod2" },
    ips: [{ address: "10.9.0.9/24" }],
    routes: [],
    network: "lan",
    valid: [{ containerId: "pod", ifname: "net1" }],
  };
  for (let change = 0; change <= random(3); change++) {
    const keys = Object.keys(request).filter((key) => key !== "netns");
    const key = random(8) === 0 ? word(random, 5) : keys[random(keys.length)]!;
    // Collecting everything would be carried out, quite rightly.
    if (random(4) === 0 && key !== "valid") delete request[key];
    else request[key] = anyValue(random, 3);
  }
  if (request["op"] === "gc") request["network"] = `other ${anyText(random)}`;
  return request;
}

function anyValue(random: Random, depth: number): unknown {
  switch (random(depth > 0 ? 9 : 7)) {
    case 0:
      return null;
    case 1:
      return random(2) === 0;
    case 2:
      return (random(2) === 0 ? -1 : 1) * random(2 ** 31) / (1 + random(3));
    case 3:
      return [
        "pod1",
        LAN,
        "../../etc/passwd",
        "/dev/zero",
        "/proc/1/ns/mnt",
        "__proto__",
      ][random(6)];
    case 7:
      return Array.from({ length: random(5) }, () => anyValue(random, depth - 1));
    case 8:
      return Object.fromEntries(
        Array.from({ length: random(5) }, () => [word(random, 6), anyValue(random, depth - 1)]),
      );
    default:
      return anyText(random);
  }
}

function anyText(random: Random): string {
  return String.fromCharCode(...Array.from({ length: random(40) }, () => random(0x1_0000)));
}

function word(random: Random, length: number): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length }, () => letters[random(letters.length)]).join("");
}

interface Usage {
  readonly files: number;
  readonly megabytes: number;
}

function usage({ agent: { pid } }: AgentNode): Usage {
  const [, resident = "0"] = /^VmRSS:\s+(\d+) kB/m.exec(
    Deno.readTextFileSync(`/proc/${pid}/status`),
  ) ?? [];
  return {
    files: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    megabytes: Math.round(Number(resident) / 1024),
  };
}

async function isNoBigger(node: AgentNode, before: Usage): Promise<void> {
  await until(`only ${before.files} files are open`, () => usage(node).files <= before.files);
  const { megabytes } = usage(node);
  assert.ok(
    megabytes <= before.megabytes + GROWTH_MAX,
    `The agent has grown from ${before.megabytes} to ${megabytes} MB`,
  );
}

/** Returns when the agent has closed what it needed for its last work. */
async function isAtRest(node: AgentNode, workloads: readonly Workload[]): Promise<void> {
  let last = "";
  await until("the agent is at rest", async () => {
    const now = JSON.stringify([await takePicture(node, workloads), usage(node).files]);
    const same = now === last;
    last = now;
    return same;
  }, { interval: 200 });
}
