import assert from "node:assert/strict";
import type { Authority, CertificateFacts, ServingFacts } from "./cert_facts.ts";
import {
  CERTIFICATE_TIMING,
  type CertificateStep,
  type CertificateView,
  nextCertificateStep,
} from "./cert_plan.ts";

const DAY = 24 * 60 * 60_000;
const NOW = Date.parse("2026-06-01T00:00:00Z");
const NAMES = ["DNS:a.svc"];

/** An authority made so many days ago. */
function authority(pem: string, days: number): Authority {
  const madeAt = NOW - days * DAY;
  return { pem, notBefore: madeAt - 3_600_000, notAfter: madeAt + 365 * DAY };
}

function serving(signer: Authority | undefined, days: number): ServingFacts {
  const madeAt = NOW - days * DAY;
  return {
    pair: { certificate: "c", key: "k" },
    names: NAMES,
    notBefore: madeAt - 3_600_000,
    notAfter: madeAt + 90 * DAY,
    ...(signer === undefined ? {} : { signer }),
  };
}

/** All is well with `signer`, but for what `change` says. */
function view(
  signer: Authority,
  change: Partial<CertificateFacts> = {},
  rest: Partial<CertificateView> = {},
): CertificateView {
  const facts = {
    bundle: signer.pem,
    authorities: [signer],
    signer: { ...signer, key: "key" },
    serving: serving(signer, 0),
    ...change,
  };
  return { facts, published: [facts.bundle], names: NAMES, ...rest };
}

function step(view: CertificateView): CertificateStep | undefined {
  return nextCertificateStep(view, CERTIFICATE_TIMING, NOW);
}

const OLD = authority("old ", 244);
const NEW = authority("new ", 10);

Deno.test("nextCertificateStep() finds nothing to do when all is well", () => {
  assert.equal(step(view(NEW)), undefined);
  assert.equal(step(view(OLD)), undefined);
});

Deno.test("nextCertificateStep() begins with an authority", () => {
  const empty = { bundle: "", authorities: [] };
  assert.equal(step({ facts: empty, published: [""], names: NAMES }), "make-authority");
  const { signer: _, ...keyless } = view(NEW).facts;
  assert.equal(step({ ...view(NEW), facts: keyless }), "make-authority");
});

Deno.test("nextCertificateStep() makes an authority long before the last one is over", () => {
  assert.equal(step(view(authority("a", 246))), "make-authority");
  assert.equal(step(view(authority("a", -1))), "make-authority"); // by a clock far ahead
});

Deno.test("nextCertificateStep() publishes an authority before it serves by it", () => {
  const both = { bundle: "old new ", authorities: [OLD, NEW], serving: serving(OLD, 0) };
  const unpublished = view(NEW, both, { published: ["old "] });
  assert.equal(step(unpublished), "publish-bundle");
  assert.equal(step({ ...unpublished, published: ["old new ", "old "] }), "publish-bundle");
  assert.equal(step({ ...unpublished, published: ["old new "] }), "make-serving");
});

Deno.test("nextCertificateStep() gives API servers time to hear of an authority", () => {
  const fresh = authority("new ", 4 / (24 * 60));
  const both = { bundle: "old new ", authorities: [OLD, fresh], serving: serving(OLD, 0) };
  assert.equal(step(view(fresh, both)), undefined);
  // But not when there is nothing to serve until then.
  const { serving: _, ...bare } = view(fresh).facts;
  assert.equal(step({ ...view(fresh), facts: bare }), "make-serving");
});

Deno.test("nextCertificateStep() makes a certificate that is due or not good for anything", () => {
  const cases: readonly (readonly [ServingFacts, CertificateStep | undefined])[] = [
    [serving(NEW, 59), undefined],
    [serving(NEW, 61), "make-serving"],
    [serving(NEW, 91), "make-serving"],
    [serving(NEW, -1), "make-serving"],
    [serving(undefined, 0), "make-serving"],
    [serving(OLD, 0), "make-serving"],
    [{ ...serving(NEW, 0), names: ["DNS:b.svc"] }, "make-serving"],
  ];
  for (const [one, expected] of cases) {
    assert.equal(step(view(NEW, { serving: one })), expected, JSON.stringify(one));
  }
});

Deno.test("nextCertificateStep() keeps an old authority until it is over", () => {
  const over = authority("over ", 366);
  const bundle = "over old new ";
  const three = { bundle, authorities: [over, OLD, NEW] };
  assert.equal(step(view(NEW, three)), "tidy-bundle");
  const two = { bundle: "old new ", authorities: [OLD, NEW] };
  assert.equal(step(view(NEW, two)), undefined);
  assert.equal(step(view(NEW, { bundle: "rubbish new " })), "tidy-bundle");
});

Deno.test("nextCertificateStep() publishes nothing where there is no configuration", () => {
  assert.equal(step(view(NEW, {}, { published: [] })), undefined);
});

Deno.test("nextCertificateStep() ends whatever the timing is", () => {
  const timing = { ...CERTIFICATE_TIMING, authorityRenewMs: 1e15, servingRenewMs: 1e15 };
  const fresh = authority("a", 0);
  assert.equal(nextCertificateStep(view(fresh), timing, NOW), undefined);
  // What ends with its authority ends sooner than it should, and still isn't made again and again.
  const short = { ...serving(fresh, 0), notAfter: NOW + 10_000 };
  const shortView = view(fresh, { serving: short });
  const settled = { ...CERTIFICATE_TIMING, settleMs: 0 };
  assert.equal(nextCertificateStep(shortView, settled, NOW + 1_000), undefined);
  assert.equal(nextCertificateStep(shortView, settled, NOW + 3_000), "make-serving");
});
