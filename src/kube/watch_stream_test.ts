import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { bookmarkLine, lanObject, watchLine } from "../../tests/support/kube_objects.ts";
import { type Script, ScriptedServer, statusAnswer } from "../../tests/support/scripted_server.ts";
import { K8slanError } from "../base/errors.ts";
import { FetchKubeApi } from "./fetch_kube_api.ts";
import type { WatchEvent } from "./kube_api.ts";
import { isGone } from "./kube_error.ts";
import { LANS } from "./resources.ts";

const LAN = lanObject("lan1", "8");

interface Watched {
  readonly events: WatchEvent<unknown>[];
  readonly error: unknown;
}

/** What a watch yields from a server that follows `script`, until it ends. */
async function watched(
  script: Script,
  idleMs = 5_000,
  signal = new AbortController().signal,
): Promise<Watched> {
  await using server = new ScriptedServer(script);
  const access = {
    server: server.url,
    credentials: () => Promise.resolve({ caCerts: [] }),
    forget() {},
  };
  using api = new FetchKubeApi(access, { userAgent: "test", deadlineMs: 5_000 });
  const events: WatchEvent<unknown>[] = [];
  try {
    const options = { resourceVersion: "7", timeoutSeconds: 55, idleMs, signal };
    for await (const event of api.watch(LANS, options)) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  } finally {
    const query = server.seen[0]?.query.toString();
    equal(query, "watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=55");
  }
}

function codeOf({ error }: Watched): string {
  ok(error instanceof K8slanError, String(error));
  return error.code;
}

Deno.test("watch() yields changes and bookmarks until the server ends it", async () => {
  const text = watchLine("ADDED", LAN) + watchLine("MODIFIED", LAN) + watchLine("DELETED", LAN) +
    bookmarkLine("9");
  const { events, error } = await watched(() => new Response(text));
  equal(error, undefined);
  deepEqual(events, [
    { type: "added", object: LAN },
    { type: "modified", object: LAN },
    { type: "deleted", object: LAN },
    { type: "bookmark", resourceVersion: "9" },
  ]);
});

Deno.test("watch() hands out a change as soon as it comes", async () => {
  await using server = new ScriptedServer((_1, _2, server) =>
    server.halfOpen(watchLine("ADDED", LAN))
  );
  const access = {
    server: server.url,
    credentials: () => Promise.resolve({ caCerts: [] }),
    forget() {},
  };
  using api = new FetchKubeApi(access, { userAgent: "test" });
  for await (const event of api.watch(LANS, { resourceVersion: "7" })) {
    deepEqual(event, { type: "added", object: LAN });
    break; // ends the request
  }
});

Deno.test("watch() reports an error in the stream as that", async () => {
  const gone = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
  const result = await watched(() =>
    new Response(watchLine("ADDED", LAN) + watchLine("ERROR", gone))
  );
  equal(result.events.length, 1);
  equal(codeOf(result), "Expired");
  ok(isGone(result.error));
});

Deno.test("watch() reports a refusal", async () => {
  equal(codeOf(await watched(() => statusAnswer(403, "Forbidden"))), "Forbidden");
});

Deno.test("watch() takes silence for a dead connection", async () => {
  const result = await watched((_1, _2, server) => server.halfOpen(watchLine("ADDED", LAN)), 500);
  equal(result.events.length, 1);
  equal(codeOf(result), "ApiServerTimeout");
});

Deno.test("watch() ends with its signal", async () => {
  const stop = new AbortController();
  const script: Script = (_1, _2, server) => {
    setTimeout(() => stop.abort(new Error("stop it")), 20);
    return server.halfOpen(watchLine("ADDED", LAN));
  };
  const { error } = await watched(script, 5_000, stop.signal);
  await rejects(Promise.reject(error), /stop it/);
});

for (
  const [what, text] of [
    ["no JSON", "<html>\n"],
    ["half a line", watchLine("ADDED", LAN).slice(0, 50)],
    ["an unknown type", watchLine("NONSENSE", LAN)],
    ["no object", '{"type":"ADDED"}\n'],
    ["an empty bookmark", watchLine("BOOKMARK", {})],
    ["a list", "[]\n"],
    ["an endless line", "x".repeat((4 << 20) + 1)],
  ] as const
) {
  Deno.test(`watch() refuses ${what}`, async () => {
    equal(codeOf(await watched(() => new Response(text))), "ApiServerGarbled");
  });
}
