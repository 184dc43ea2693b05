import assert from "node:assert/strict";
import {
  acknowledge,
  answer,
  datagram,
  done,
  type Script,
  ScriptedTransport,
} from "../../tests/support/scripted_transport.ts";
import { NetlinkClient } from "./client.ts";
import { NetlinkError } from "./errors.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_OVERRUN,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "./wire/constants.ts";
import type { Message, Request } from "./wire/message.ts";

/** Requests told apart by their payload. */
function requests(count: number): Request[] {
  return Array.from({ length: count }, (_, at) => ({
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: Uint8Array.of(at & 0xff, at >> 8, 0, 0),
    summary: `create link ${at}`,
  }));
}

const DUMP: Request = {
  type: RTM_GETLINK,
  flags: NLM_F_REQUEST,
  payload: new Uint8Array(4),
  summary: "list links",
};

const number = (payload: Uint8Array) => payload[0]! | (payload[1]! << 8);

function item(to: Message, value: number, flags = NLM_F_MULTI): Uint8Array {
  return answer(to, RTM_NEWLINK, Uint8Array.of(value, 0, 0, 0), flags);
}

function client(script: Script) {
  const transport = new ScriptedTransport(script);
  return { transport, client: new NetlinkClient(transport) };
}

/** What `run` throws, as plain data. */
function failure(run: () => unknown) {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof NetlinkError, String(error));
    const { message, errno, errnoName, kernelText, requestIndex } = error;
    return { message, errno, errnoName, kernelText, requestIndex };
  }
  assert.fail("did not throw");
}

Deno.test("NetlinkClient.execute() sends several requests in one datagram", () => {
  const { transport, client: netlink } = client((messages) =>
    messages.map((to) => acknowledge(to))
  );
  netlink.execute(requests(3));
  netlink.execute(requests(1));
  assert.deepEqual(transport.sent.map((messages) => messages.length), [3, 1]);
  assert.deepEqual(transport.sent[0]!.map(({ payload }) => number(payload)), [0, 1, 2]);
  const numbers = transport.sent.flat().map(({ sequence }) => sequence);
  assert.equal(new Set(numbers).size, 4, "sequence numbers are unique");
});

Deno.test("NetlinkClient.execute() of nothing sends nothing", () => {
  const { transport, client: netlink } = client(() => []);
  netlink.execute([]);
  assert.deepEqual(transport.sent, []);
});

Deno.test("NetlinkClient.execute() takes acknowledgements however they are cut into datagrams", () => {
  const cuts: readonly Script[] = [
    (messages) => messages.map((to) => acknowledge(to)),
    (messages) => [datagram(...messages.map((to) => acknowledge(to)))],
    ([a, b, c]) => [datagram(acknowledge(a!), acknowledge(b!)), acknowledge(c!)],
    ([a, b, c]) => [acknowledge(c!), datagram(acknowledge(b!), acknowledge(a!))],
    ([a, b, c]) => [new Uint8Array(), acknowledge(a!), acknowledge(b!), acknowledge(c!)],
  ];
  for (const script of cuts) client(script).client.execute(requests(3));
});

Deno.test("NetlinkClient.execute() reports the first failure with summary, words and index", () => {
  const { client: netlink } = client(([a, b, c, d]) => [
    acknowledge(d!, 16),
    acknowledge(a!),
    acknowledge(b!, 17, "A VXLAN device with the specified VNI already exists"),
    acknowledge(c!, 22, "later"),
  ]);
  assert.deepEqual(failure(() => netlink.execute(requests(4))), {
    message: "Cannot create link 1: EEXIST (A VXLAN device with the specified VNI already exists)",
    errno: 17,
    errnoName: "EEXIST",
    kernelText: "A VXLAN device with the specified VNI already exists",
    requestIndex: 1,
  });
});

Deno.test("NetlinkClient.execute() can be used again after a failure", () => {
  const { client: netlink } = client((messages, nth) =>
    messages.map((to) => acknowledge(to, nth === 0 ? 16 : 0))
  );
  assert.equal(failure(() => netlink.execute(requests(3))).message, "Cannot create link 0: EBUSY");
  netlink.execute(requests(3));
});

Deno.test("NetlinkClient.execute() sends at most 64 requests at once, then the next", () => {
  const { transport, client: netlink } = client((messages) =>
    messages.map((to) => acknowledge(to, number(to.payload) >= 100 ? 19 : 0))
  );
  const { message, requestIndex } = failure(() => netlink.execute(requests(150)));
  assert.deepEqual(transport.sent.map((messages) => messages.length), [64, 64, 22]);
  assert.deepEqual([message, requestIndex], ["Cannot create link 100: ENODEV", 100]);
});

Deno.test("NetlinkClient.tryExecute() gives every outcome in the order of the requests", () => {
  const { client: netlink } = client((messages) =>
    messages.toReversed().map((to) => {
      const at = number(to.payload);
      return at % 50 === 0 ? acknowledge(to, 22, `words ${at}`) : acknowledge(to);
    })
  );
  const outcomes = netlink.tryExecute(requests(130));
  assert.equal(outcomes.length, 130);
  for (const [at, outcome] of outcomes.entries()) {
    assert.deepEqual(outcome, at % 50 === 0 ? { errno: 22, text: `words ${at}` } : { errno: 0 });
  }
});

Deno.test("NetlinkClient ignores answers to requests that are not open", () => {
  const stale = (to: Message): Message => ({ ...to, sequence: to.sequence - 1 });
  const { client: netlink } = client((messages) => {
    const first = messages[0]!;
    return [
      acknowledge(stale(first), 22),
      item(stale(first), 99),
      done(stale(first)),
      acknowledge({ ...first, sequence: first.sequence + messages.length }, 22),
      // Twice the same: does not stand for another one.
      ...(messages.length > 1 ? [acknowledge(first)] : []),
      ...(first.type === RTM_NEWLINK ? messages.map((to) => acknowledge(to)) : []),
      ...(first.type === RTM_GETLINK ? [item(first, 7), done(first)] : []),
    ];
  });
  netlink.execute(requests(2));
  assert.deepEqual(netlink.dump(DUMP, number), [7]);
  assert.equal(netlink.get(DUMP, number), 7);
});

Deno.test("NetlinkClient.get() gives the decoded answer", () => {
  const { transport, client: netlink } = client(([to]) => [item(to!, 42, 0)]);
  assert.equal(netlink.get(DUMP, number), 42);
  assert.equal(transport.sent[0]![0]!.flags, NLM_F_REQUEST);
});

Deno.test("NetlinkClient.get() throws for a link that is not there", () => {
  const { client: netlink } = client(([to]) => [acknowledge(to!, 19)]);
  const get = { ...DUMP, summary: 'get link "pod1"' };
  assert.deepEqual(failure(() => netlink.get(get, number)), {
    message: 'Cannot get link "pod1": ENODEV',
    errno: 19,
    errnoName: "ENODEV",
    kernelText: undefined,
    requestIndex: 0,
  });
});

Deno.test("NetlinkClient.dump() collects the answers of several datagrams", () => {
  const { transport, client: netlink } = client(([to]) => [
    datagram(item(to!, 1), item(to!, 2)),
    item(to!, 3),
    datagram(item(to!, 4), done(to!)),
  ]);
  assert.deepEqual(netlink.dump(DUMP, number), [1, 2, 3, 4]);
  assert.equal(transport.sent[0]![0]!.flags, NLM_F_REQUEST | NLM_F_DUMP);
});

Deno.test("NetlinkClient.dump() of an empty table is empty", () => {
  assert.deepEqual(client(([to]) => [done(to!)]).client.dump(DUMP, number), []);
});

Deno.test("NetlinkClient.dump() repeats a dump that was interrupted", () => {
  const interruptions: readonly Script[] = [
    ([to]) => [item(to!, 1), item(to!, 2, NLM_F_MULTI | NLM_F_DUMP_INTR), done(to!)],
    ([to]) => [item(to!, 1), done(to!, 0, undefined, NLM_F_DUMP_INTR)],
    ([to]) => [item(to!, 1), answer(to!, NLMSG_OVERRUN, new Uint8Array()), done(to!)],
  ];
  for (const interrupted of interruptions) {
    const { transport, client: netlink } = client((messages, nth) =>
      nth < 2 ? interrupted(messages, nth) : [item(messages[0]!, 8), done(messages[0]!)]
    );
    assert.deepEqual(netlink.dump(DUMP, number), [8]);
    assert.equal(transport.sent.length, 3);
  }
});

Deno.test("NetlinkClient.dump() gives the last answer when the table never stands still", () => {
  const { transport, client: netlink } = client(([to], nth) => [
    item(to!, nth, NLM_F_MULTI | NLM_F_DUMP_INTR),
    done(to!),
  ]);
  const items = netlink.dump(DUMP, number);
  assert.equal(transport.sent.length, 30);
  assert.deepEqual(items, [29]);
});

Deno.test("NetlinkClient.dump() throws when the dump fails, at its start or at its end", () => {
  const words = "Invalid data after header";
  const scripts: readonly Script[] = [
    ([to]) => [acknowledge(to!, 22, words)],
    ([to]) => [item(to!, 1), done(to!, 22, words)],
    ([to]) => [datagram(item(to!, 1), done(to!, 22, words))],
  ];
  for (const script of scripts) {
    const { message, kernelText } = failure(() => client(script).client.dump(DUMP, number));
    assert.equal(message, `Cannot list links: EINVAL (${words})`);
    assert.equal(kernelText, words);
  }
});

Deno.test("NetlinkClient.executeInBackground() settles with the outcome of its request", async () => {
  const [request] = requests(1);
  await client(([to]) => [acknowledge(to!)]).client.executeInBackground(request!);
  const { client: netlink } = client(([to]) => [acknowledge(to!, 16, "still in use")]);
  await assert.rejects(netlink.executeInBackground(request!), {
    name: "NetlinkError",
    message: "Cannot create link 0: EBUSY (still in use)",
  });
});

Deno.test("NetlinkClient passes failures of the socket on", () => {
  const { client: netlink } = client(() => []);
  assert.throws(() => netlink.execute(requests(1)), /Nothing left to receive/);
  assert.throws(() => netlink.get(DUMP, number), /Nothing left to receive/);
  assert.throws(() => netlink.dump(DUMP, number), /Nothing left to receive/);
});

Deno.test("NetlinkClient closes its socket", () => {
  const { transport, client: netlink } = client(() => []);
  {
    using _netlink = netlink;
  }
  assert.equal(transport.closed, true);
});

const EDGE: Request = {
  type: 0x10,
  flags: NLM_F_REQUEST,
  payload: new Uint8Array(4),
  summary: "edge",
};

Deno.test("NetlinkClient.executeTogether() frames all requests and waits for the last alone", () => {
  const { transport, client: netlink } = client((messages) => [acknowledge(messages.at(-2)!)]);
  netlink.executeTogether(EDGE, requests(3), EDGE);
  const [sent = []] = transport.sent;
  assert.deepEqual(sent.map(({ type }) => type), [0x10, 16, 16, 16, 0x10]);
  assert.deepEqual(sent.map(({ flags }) => (flags & NLM_F_ACK) !== 0), [
    ...[false, false, false, true, false],
  ]);
});

Deno.test("NetlinkClient.executeTogether() throws the first failure of any", () => {
  const { client: netlink } = client((messages) => [
    acknowledge(messages[2]!, 17),
    acknowledge(messages[3]!, 2),
  ]);
  const found = failure(() => netlink.executeTogether(EDGE, requests(3), EDGE));
  assert.deepEqual([found.message, found.requestIndex], ["Cannot create link 1: EEXIST", 1]);
});

Deno.test("NetlinkClient.executeTogether() throws what befalls the whole", () => {
  const { client: netlink } = client((messages, nth) =>
    nth === 0
      ? [acknowledge(messages[0]!, 1), acknowledge(messages[2]!)]
      : messages.map((to) => acknowledge(to))
  );
  assert.equal(failure(() => netlink.executeTogether(EDGE, requests(2), EDGE)).errnoName, "EPERM");
  // What was left of the answers does not pass for that to another request.
  netlink.execute(requests(1));
});
