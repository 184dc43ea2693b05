import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { lanList, lanObject } from "../../tests/support/kube_objects.ts";
import {
  RawServer,
  type Script,
  ScriptedServer,
  statusAnswer,
} from "../../tests/support/scripted_server.ts";
import { describe, K8slanError } from "../base/errors.ts";
import { FetchKubeApi } from "./fetch_kube_api.ts";
import type { KubeAccess } from "./kube_access.ts";
import { isConflict, KubeError } from "./kube_error.ts";
import type { KubeHttpOptions } from "./kube_http.ts";
import { LANS, NODES } from "./resources.ts";

const KEY = { namespace: "default", name: "lan1" };
const LAN = lanObject("lan1");

function accessTo(server: string): KubeAccess {
  const credentials = { authorization: "Bearer secret", caCerts: [] };
  return { server, credentials: () => Promise.resolve(credentials), forget() {} };
}

function apiOf(server: string, options: Partial<KubeHttpOptions> = {}): FetchKubeApi {
  return new FetchKubeApi(accessTo(server), { userAgent: "test", deadlineMs: 5_000, ...options });
}

/** Runs `use` against a server that follows `script`. */
async function against(
  script: Script,
  use: (api: FetchKubeApi, server: ScriptedServer) => Promise<void>,
  options: Partial<KubeHttpOptions> = {},
): Promise<void> {
  await using server = new ScriptedServer(script);
  using api = apiOf(server.url, options);
  await use(api, server);
}

async function failure(promise: Promise<unknown>): Promise<K8slanError> {
  let caught: unknown;
  await rejects(promise, (error) => (caught = error, true));
  ok(caught instanceof K8slanError, String(caught));
  return caught;
}

Deno.test("get() asks for the object, as who we are", async () => {
  await against(() => Response.json(LAN), async (api, { seen }) => {
    deepEqual(await api.get(LANS, KEY), LAN);
    const [request] = seen;
    equal(request?.path, "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans/lan1");
    equal(request?.headers.get("authorization"), "Bearer secret");
    equal(request?.headers.get("user-agent"), "test");
  });
});

Deno.test("get() returns undefined for an object that isn't there", async () => {
  const details = { name: "lan1", kind: "lans" };
  await against(() => statusAnswer(404, "NotFound", { details }), async (api) => {
    equal(await api.get(LANS, KEY), undefined);
    equal(await api.delete(LANS, KEY), false);
  });
});

Deno.test("get() fails when it is the kind that isn't there", async () => {
  await against(() => new Response("404 page not found\n", { status: 404 }), async (api) => {
    const error = await failure(api.get(LANS, KEY));
    equal(error.code, "NotFound");
    equal(
      error.message,
      'Cannot get lans.lan.k8slan.io "default/lan1": the API server answered 404 NotFound: ' +
        "404 page not found",
    );
  });
});

Deno.test("get() fills in what lists leave out, and drops managed fields", async () => {
  const { apiVersion: _1, kind: _2, ...bare } = LAN;
  const item = { ...bare, metadata: { ...LAN.metadata, managedFields: [{ manager: "x" }] } };
  await against(
    () => Response.json({ kind: "LANList", metadata: { resourceVersion: "7" }, items: [item] }),
    async (api) => {
      deepEqual(await api.list(LANS), { items: [LAN], resourceVersion: "7" });
    },
  );
});

Deno.test("list() passes on pages, selectors and where to go on", async () => {
  const page = lanList([LAN], { resourceVersion: "7", continue: "next" });
  await against(() => Response.json(page), async (api, { seen }) => {
    const options = { namespace: "default", labelSelector: "a=b", limit: 2, continue: "more" };
    equal((await api.list(LANS, options)).continue, "next");
    await api.list(NODES, {}).catch(() => {});
    deepEqual(seen.map(({ path, query }) => `${path} ${query}`), [
      "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans labelSelector=a%3Db&limit=2&continue=more",
      "/api/v1/nodes ",
    ]);
  });
});

Deno.test("create(), replace(), patch() and delete() send what they are given", async () => {
  await against(() => Response.json(LAN), async (api, { seen }) => {
    const { metadata: { name, namespace }, spec } = LAN;
    await api.create(LANS, { metadata: { name, namespace: namespace! }, spec });
    await api.replace(LANS, LAN);
    const status = { subresource: "status" } as const;
    await api.patch(LANS, KEY, { type: "merge", body: { a: null } }, status);
    await api.patch(LANS, KEY, { type: "json", steps: [{ op: "remove", path: "/a" }] });
    const fieldManager = "k8slan";
    await api.patch(LANS, KEY, {
      ...{ type: "apply", fieldManager },
      body: { metadata: { labels: { a: "1" } }, spec: {} },
    });
    equal(await api.delete(LANS, KEY, { uid: "u", resourceVersion: "7" }), true);
    const all = "/apis/lan.k8slan.io/v1beta1/namespaces/default/lans";
    const kind = { apiVersion: "lan.k8slan.io/v1beta1", kind: "LAN" };
    deepEqual(
      seen.map(({ method, path, query, headers, body }) => [
        `${method} ${path.replace(all, "")} ${query} ${headers.get("content-type")}`,
        JSON.parse(body),
      ]),
      [
        ["POST   application/json", {
          ...kind,
          metadata: { name: "lan1", namespace: "default" },
          spec: {},
        }],
        ["PUT /lan1  application/json", LAN],
        ["PATCH /lan1/status  application/merge-patch+json", { a: null }],
        ["PATCH /lan1  application/json-patch+json", [{ op: "remove", path: "/a" }]],
        ["PATCH /lan1 fieldManager=k8slan&force=true application/apply-patch+yaml", {
          ...kind,
          metadata: { labels: { a: "1" }, ...KEY },
          spec: {},
        }],
        ["DELETE /lan1  application/json", {
          apiVersion: "v1",
          kind: "DeleteOptions",
          propagationPolicy: "Background",
          preconditions: { uid: "u", resourceVersion: "7" },
        }],
      ],
    );
  });
});

Deno.test("delete() refuses a name that would address other objects", async () => {
  await against(() => Response.json({}), async (api, { seen }) => {
    for (const name of ["", ".", ".."]) {
      await rejects(api.delete(LANS, { namespace: "default", name }), TypeError);
    }
    await api.delete(LANS, { namespace: "../x", name: "a/b" });
    deepEqual(seen.map(({ path }) => path), [
      "/apis/lan.k8slan.io/v1beta1/namespaces/..%2Fx/lans/a%2Fb",
    ]);
  });
});

Deno.test("FetchKubeApi reports a refusal with reason, causes and whether to try again", async () => {
  const causes = [{
    field: "spec.vni",
    message: "must be at\nmost 5",
    reason: "FieldValueInvalid",
  }];
  await against(() => statusAnswer(422, "Invalid", { details: { causes } }), async (api) => {
    const error = await failure(api.replace(LANS, LAN));
    ok(error instanceof KubeError);
    deepEqual([error.status, error.code, error.retriable], [422, "Invalid", false]);
    deepEqual(error.details.causes, [{ ...causes[0], message: "must be at most 5" }]);
  });
  await against(() => statusAnswer(409, "Conflict"), async (api) => {
    const error = await failure(api.replace(LANS, LAN));
    deepEqual([isConflict(error), error.retriable], [true, true]);
  });
  await against(() => statusAnswer(409, "AlreadyExists"), async (api) => {
    const error = await failure(api.create(LANS, LAN));
    deepEqual([isConflict(error), error.retriable], [false, false]);
  });
});

Deno.test("FetchKubeApi keeps the words of a stranger short and on one line", async () => {
  const words = `<html>\u001b[31m${"x".repeat(5_000)}\r\n</html>`;
  await against(() => new Response(words, { status: 502 }), async (api) => {
    const error = await failure(api.list(LANS));
    match(error.message, /answered 502 Http502: <html> \[31mx{900,}…$/);
    ok(error.retriable);
  });
});

Deno.test("FetchKubeApi waits as long as a 429 asks for, and repeats any request", async () => {
  const headers = { "retry-after": "0" };
  const script: Script = (_, nth) =>
    nth < 2 ? statusAnswer(429, "TooManyRequests", { headers }) : Response.json(LAN);
  await against(script, async (api, { seen }) => {
    deepEqual(await api.create(LANS, LAN), LAN);
    equal(seen.length, 3);
  });
});

Deno.test("FetchKubeApi leaves a 429 that outlasts the deadline to the caller", async () => {
  const headers = { "retry-after": "7" };
  await against(
    () => statusAnswer(429, "TooManyRequests", { headers }),
    async (api, { seen }) => {
      const error = await failure(api.get(LANS, KEY));
      ok(error instanceof KubeError && error.retryAfterMs === 7_000);
      equal(seen.length, 1);
    },
  );
});

Deno.test("FetchKubeApi repeats no write that may have been carried out", async () => {
  const headers = { "retry-after": "0" };
  await against(
    () => statusAnswer(503, "ServiceUnavailable", { headers }),
    async (api, { seen }) => {
      await failure(api.create(LANS, LAN));
      equal(seen.length, 1);
      await failure(api.get(LANS, KEY));
      equal(seen.length, 6);
    },
  );
});

Deno.test("FetchKubeApi gets a new token when the old one is refused, once", async () => {
  const tokens = ["old", "new"];
  const script: Script = ({ headers }) =>
    headers.get("authorization") === "Bearer new"
      ? Response.json(LAN)
      : statusAnswer(401, "Unauthorized");
  await using server = new ScriptedServer(script);
  using api = new FetchKubeApi({
    server: server.url,
    credentials: () => Promise.resolve({ authorization: `Bearer ${tokens[0]}`, caCerts: [] }),
    forget: () => void tokens.shift(),
  }, { userAgent: "test" });
  deepEqual(await api.get(LANS, KEY), LAN);
  tokens.unshift("worse", "bad");
  equal((await failure(api.get(LANS, KEY))).code, "Unauthorized");
  equal(server.seen.length, 4);
});

Deno.test("FetchKubeApi gives up at the deadline, and goes on with a new connection", async () => {
  // Not the first request: that may be given up before the server has it.
  let hangs = true;
  const script: Script = (_1, _2, server) => hangs ? server.hang() : Response.json(LAN);
  await against(script, async (api, { url }) => {
    const error = await failure(api.get(LANS, KEY, { deadlineMs: 50 }));
    deepEqual([error.code, error.retriable], ["ApiServerTimeout", true]);
    equal(
      error.message,
      `Cannot get lans.lan.k8slan.io "default/lan1": there was no answer within 0.05 s from the ` +
        `API server ${url}`,
    );
    hangs = false;
    deepEqual(await api.get(LANS, KEY), LAN);
  });
});

Deno.test("FetchKubeApi gives up on an answer that doesn't end", async () => {
  await against((_1, _2, server) => server.halfOpen('{"kind"'), async (api) => {
    equal((await failure(api.get(LANS, KEY, { deadlineMs: 50 }))).code, "ApiServerTimeout");
  });
});

Deno.test("FetchKubeApi ends a call with the reason of its signal", async () => {
  await against((_1, _2, server) => server.hang(), async (api) => {
    const stop = new AbortController();
    const reason = new Error("stop it");
    const calls = [api.get(LANS, KEY, { signal: stop.signal })];
    stop.abort(reason);
    calls.push(api.get(LANS, KEY, { signal: stop.signal }));
    for (const call of calls) await rejects(call, (error) => error === reason);
  });
});

Deno.test("FetchKubeApi sends nothing that beforeSend() forbids", async () => {
  await against(() => Response.json(LAN), async (api, { seen }) => {
    const beforeSend = () => {
      throw new K8slanError("NotLeader", "no");
    };
    equal((await failure(api.replace(LANS, LAN, { beforeSend }))).code, "NotLeader");
    equal(seen.length, 0);
  });
});

Deno.test("FetchKubeApi refuses an answer that is too large", async () => {
  const options = { maxBytes: 1_000 };
  await against(() => new Response("[".repeat(2_000)), async (api) => {
    const error = await failure(api.get(LANS, KEY));
    equal(error.code, "ApiServerGarbled");
    match(describe(error), /^Cannot get .*: The answer is over 1000 bytes$/);
  }, options);
});

for (
  const [what, answer] of [
    ["no JSON", "<html>"],
    ["half of it", '{"kind":"LAN"'],
    ["another thing", "[]"],
    ["no metadata", '{"kind":"LAN"}'],
    ["no UID", '{"metadata":{"name":"a"}}'],
  ] as const
) {
  Deno.test(`FetchKubeApi refuses an answer that is ${what}`, async () => {
    await against(() => new Response(answer), async (api) => {
      const error = await failure(api.get(LANS, KEY));
      deepEqual([error.code, error.retriable], ["ApiServerGarbled", true]);
      equal((await failure(api.list(LANS))).code, "ApiServerGarbled");
    });
  });
}

Deno.test("FetchKubeApi says when there is no API server, or no HTTP", async () => {
  using garbage = new RawServer("garbage\r\n\r\n");
  using torn = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
  for (const server of ["http://127.0.0.1:2", garbage.url, torn.url]) {
    using api = apiOf(server);
    const error = await failure(api.get(LANS, KEY));
    deepEqual([error.code, error.retriable], ["ApiServerUnreachable", true]);
    ok(describe(error).length > error.message.length, "it says why");
  }
});

Deno.test("FetchKubeApi follows no redirection", async () => {
  const elsewhere = { status: 302, headers: { location: "http://127.0.0.1:2/" } };
  await against(() => new Response(null, elsewhere), async (api) => {
    equal((await failure(api.get(LANS, KEY))).code, "Http302");
  });
});

Deno.test("FetchKubeApi refuses to talk in the clear", () => {
  throws(() => apiOf("http://192.0.2.1:6443"), { code: "InsecureServer" });
  for (const server of ["https://192.0.2.1", "http://[::1]:8001"]) apiOf(server);
});

Deno.test("FetchKubeApi sends no more requests a second than agreed", async () => {
  await against(() => Response.json(LAN), async (api) => {
    const started = performance.now();
    await Promise.all(Array.from({ length: 5 }, () => api.get(LANS, KEY)));
    const took = performance.now() - started;
    ok(took >= 3 * 20 - 5, `${took} ms`);
  }, { perSecond: 50, burst: 2 });
});
