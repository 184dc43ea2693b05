import assert from "node:assert/strict";
import type { AdmissionDecision } from "./webhook_decision.ts";
import {
  WEBHOOK_BODY_MAX,
  WebhookHandler,
  type WebhookRequest,
  type WebhookResponse,
} from "./webhook_http.ts";

const ALLOWED: AdmissionDecision = { kind: "allowed", answer: { allowed: true, warnings: [] } };
const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: { uid: "u", operation: "CREATE", resource: { group: "g", resource: "r" } },
});

async function* bytes(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    yield await Promise.resolve(typeof part === "string" ? new TextEncoder().encode(part) : part);
  }
}

function request(change: Partial<WebhookRequest> = {}): WebhookRequest {
  return {
    method: "POST",
    url: "/validate-lan",
    contentType: "application/json",
    contentLength: undefined,
    body: bytes(REVIEW),
    ...change,
  };
}

const kinds: string[] = [];
const handler = new WebhookHandler({
  "/validate-lan": {
    decide: () => Promise.resolve(ALLOWED),
    onAnswer: (kind) => kinds.push(kind),
  },
  "/mutate-pods": {
    decide: ({ uid }) => Promise.resolve({ kind: uid, answer: { allowed: true, warnings: ["w"] } }),
    onAnswer: (kind) => kinds.push(`pod ${kind}`),
  },
});

function handle(change: Partial<WebhookRequest>): Promise<WebhookResponse> {
  return handler.handle(request(change));
}

Deno.test("WebhookHandler answers reviews, with a time-out in the query and in pieces", async () => {
  const { status, body, headers } = await handle({
    url: "/validate-lan?timeout=3s",
    contentType: "application/json; charset=utf-8",
    body: bytes(REVIEW.slice(0, 10), REVIEW.slice(10)),
  });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(body).response, { uid: "u", allowed: true });
  assert.equal(headers["connection"], undefined);
});

Deno.test("WebhookHandler answers each path by its own webhook, and no other", async () => {
  const { status, body } = await handle({ url: "/mutate-pods?timeout=2s" });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(body).response.warnings, ["w"]);
  assert.equal(kinds.at(-1), "pod u");
  assert.equal((await handle({ url: "/mutate-pods", body: bytes("{") })).status, 400);
  assert.equal(kinds.at(-1), "pod error");
  const before = kinds.length;
  for (const url of ["/", "/validate-lan/x", "/mutate-pods/", "/constructor", "__proto__", ""]) {
    const { status, headers } = await handle({ url });
    assert.deepEqual([status, headers["connection"]], [404, "close"], url);
  }
  assert.equal(kinds.length, before);
});

Deno.test("WebhookHandler refuses in the words of HTTP what is no review", async () => {
  const big = new Uint8Array(1 << 20);
  const cases: readonly (readonly [number, Partial<WebhookRequest>])[] = [
    [405, { method: "GET" }],
    [415, { contentType: undefined }],
    [415, { contentType: "application/jsonx" }],
    [413, { contentLength: String(WEBHOOK_BODY_MAX + 1) }],
    [413, { body: bytes(big, big, big, "x") }],
    [400, { body: bytes() }],
    [400, { body: bytes("{") }],
    [400, { body: bytes(new Uint8Array([0xff, 0, 0xfe])) }],
    [400, { body: bytes("null") }],
    [400, { body: bytes("[".repeat(200_000)) }],
    [400, { body: bytes(`${"[".repeat(200_000)}${"]".repeat(200_000)}`) }],
    [400, { body: bytes('{"__proto__":{"apiVersion":"admission.k8s.io/v1"}}') }],
  ];
  for (const [expected, change] of cases) {
    const { status, headers, body } = await handle(change);
    assert.equal(status, expected, body);
    assert.equal(headers["connection"], "close");
    assert.ok(body.length < 200, body);
    assert.equal(kinds.at(-1), "error");
  }
});

Deno.test("WebhookHandler holds so many bytes at once and no more", async () => {
  const gate = Promise.withResolvers<void>();
  const chunk = new Uint8Array(3 << 20);
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield chunk;
    await gate.promise;
  }
  const first = Array.from({ length: 5 }, () => handle({ body: slow() }));
  const others = await Promise.all(Array.from({ length: 10 }, () => handle({ body: slow() })));
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([503]));
  gate.resolve();
  for (const { status } of await Promise.all(first)) assert.equal(status, 400);
  assert.equal((await handle({})).status, 200);
});

Deno.test("WebhookHandler rejects when a client goes away, and holds nothing of it", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield await Promise.reject(new Error("reset"));
  }
  await assert.rejects(handle({ body: broken() }), /reset/);
  assert.equal((await handle({})).status, 200);
});
