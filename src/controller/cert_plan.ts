/** What has to be done about the webhook's certificate, and when: pure. */

import type { Authority, CertificateFacts } from "./cert_facts.ts";

/** All in milliseconds. */
export interface CertificateTiming {
  /** How long an authority lasts, and how long before its end the next one is made. */
  readonly authorityMs: number;
  readonly authorityRenewMs: number;
  /** The same of the certificate that is served. */
  readonly servingMs: number;
  readonly servingRenewMs: number;
  /** Between the making of an authority and its first use, for all API servers to hear of it. */
  readonly settleMs: number;
  /** How long before its making a certificate is valid: what clocks may differ. */
  readonly backdateMs: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Whatever the timing says, what was made just now is not yet due; certificates know no fractions. */
const JUST_MADE_MS = 2_000;

export const CERTIFICATE_TIMING: CertificateTiming = {
  authorityMs: 365 * DAY,
  // Longer than a certificate lasts, so that none outlives its authority.
  authorityRenewMs: 120 * DAY,
  servingMs: 90 * DAY,
  servingRenewMs: 30 * DAY,
  settleMs: 5 * MINUTE,
  backdateMs: 60 * MINUTE,
};

export type CertificateStep =
  /** Make an authority beside those that are there. */
  | "make-authority"
  /** Write the bundle without what is over or no certificate. */
  | "tidy-bundle"
  /** Tell the API server of the bundle. */
  | "publish-bundle"
  /** Make a certificate to serve. */
  | "make-serving";

export interface CertificateView {
  readonly facts: CertificateFacts;
  /** The bundles that the webhooks' configuration has. */
  readonly published: readonly string[];
  /** What the certificate must be for, as in `DNS:a.b.svc`. */
  readonly names: readonly string[];
}

/**
 * The next step at the time `now`, if one is due. Each leads to another state or none is due.
 *
 * An authority is published, and known for a while, before anything that it signed is served; its
 * predecessor stays in the bundle until it is over.
 */
export function nextCertificateStep(
  { facts, published, names }: CertificateView,
  timing: CertificateTiming,
  now: number,
): CertificateStep | undefined {
  const { signer, serving } = facts;
  const authorityRenewMs = Math.min(timing.authorityRenewMs, timing.authorityMs - JUST_MADE_MS);
  const servingRenewMs = Math.min(timing.servingRenewMs, timing.servingMs - JUST_MADE_MS);
  if (signer === undefined || !lasts(signer, authorityRenewMs, now)) {
    return "make-authority";
  }
  if (facts.bundle !== tidyBundle(facts.authorities, now)) return "tidy-bundle";
  if (published.some((bundle) => bundle !== facts.bundle)) return "publish-bundle";
  const isServable = serving?.signer !== undefined && lasts(serving, 0, now) &&
    isFor(serving.names, names);
  if (!isServable) return "make-serving";
  const isDue = serving.signer?.pem !== signer.pem ||
    !lasts(serving, servingRenewMs, now);
  const madeAt = signer.notBefore + timing.backdateMs;
  return isDue && now - madeAt >= timing.settleMs ? "make-serving" : undefined;
}

/** The authorities that are not over, in the order given. */
export function tidyBundle(authorities: readonly Authority[], now: number): string {
  return authorities.filter(({ notAfter }) => now < notAfter).map(({ pem }) => pem).join("");
}

function lasts(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  ms: number,
  now: number,
): boolean {
  return notBefore <= now && now < notAfter - ms;
}

function isFor(names: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((name) => names.includes(name));
}
