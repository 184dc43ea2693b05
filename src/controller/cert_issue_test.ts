import assert from "node:assert/strict";
import { encodeBase64, readSecret, readServing } from "./cert_facts.ts";
import { issueAuthority, issueServing } from "./cert_issue.ts";

const DAY = 24 * 60 * 60_000;
const NAMES = ["DNS:localhost", "IP Address:127.0.0.1"];

function term(days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + days * DAY) };
}

/** A Secret with these files. */
function secret(files: Readonly<Record<string, string>>) {
  const data = Object.entries(files).map(([name, text]) => [name, encodeBase64(text)]);
  return { data: Object.fromEntries(data) };
}

Deno.test("issueServing() makes what readSecret() finds good", async () => {
  const other = await issueAuthority("other", term(2));
  const authority = await issueAuthority("authority", term(2));
  const pair = await issueServing(authority, NAMES, term(1));
  const facts = readSecret(secret({
    "ca.crt": other.certificate + authority.certificate,
    "ca.key": authority.key,
    "tls.crt": pair.certificate,
    "tls.key": pair.key,
  }));
  assert.deepEqual(facts.authorities.map(({ pem }) => pem), [
    other.certificate,
    authority.certificate,
  ]);
  assert.equal(facts.signer?.pem, authority.certificate);
  assert.equal(facts.signer?.key, authority.key);
  assert.deepEqual(facts.serving?.pair, pair);
  assert.deepEqual(facts.serving?.names, NAMES);
  assert.equal(facts.serving?.signer?.pem, authority.certificate);
  assert.ok(Math.abs((facts.serving?.notAfter ?? 0) - Date.now() - DAY) < 5_000);
});

Deno.test("issueServing() makes nothing that outlives its authority", async () => {
  const authority = await issueAuthority("authority", term(1));
  const facts = readServing(await issueServing(authority, NAMES, term(9)));
  assert.ok((facts?.notAfter ?? Infinity) < Date.now() + 2 * DAY);
});

Deno.test("readSecret() takes nothing for a certificate that is none", async () => {
  const [one, other] = [await issueAuthority("one", term(1)), await issueAuthority("two", term(1))];
  const leaf = await issueServing(one, NAMES, term(1));
  const cases: readonly Readonly<Record<string, string>>[] = [
    {},
    { "ca.crt": "", "ca.key": "", "tls.crt": "", "tls.key": "" },
    { "ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
    { "ca.crt": leaf.certificate, "ca.key": leaf.key }, // no authority
    { "ca.key": one.key, "tls.crt": leaf.certificate },
    { "tls.crt": leaf.certificate, "tls.key": one.key },
    { "tls.crt": "x".repeat(100_000), "tls.key": "\0" },
  ];
  for (const files of cases) {
    const { authorities, signer, serving } = readSecret(secret(files));
    assert.deepEqual([authorities, signer, serving], [[], undefined, undefined]);
  }
  assert.deepEqual(readSecret({ data: { "ca.crt": "%%%" } }).authorities, []);
  const mixed = readSecret(secret({ "ca.crt": one.certificate, "ca.key": other.key }));
  assert.equal(mixed.signer, undefined);
  const foreign = readSecret(secret({
    ...{ "ca.crt": other.certificate, "tls.crt": leaf.certificate, "tls.key": leaf.key },
  }));
  assert.notEqual(foreign.serving, undefined);
  assert.equal(foreign.serving?.signer, undefined);
});
