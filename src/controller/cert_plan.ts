/** What has to be done about the webhook's certificate, and when: pure. */

import type { Authority, CertificateFacts, Validity } from "./cert_facts.ts";

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

/** Whatever the timing says, what was made just now is not yet due: nothing is made in a hurry. */
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
  if (signer === undefined || isDue(signer, timing.authorityRenewMs, timing, now)) {
    return "make-authority";
  }
  if (facts.bundle !== tidyBundle(facts.authorities, now)) return "tidy-bundle";
  if (published.some((bundle) => bundle !== facts.bundle)) return "publish-bundle";
  const isServable = serving?.signer !== undefined && isValid(serving, now) &&
    names.every((name) => serving.names.includes(name));
  if (!isServable) return "make-serving";
  const isOld = serving.signer?.pem !== signer.pem ||
    isDue(serving, timing.servingRenewMs, timing, now);
  return isOld && now - madeAt(signer, timing) >= timing.settleMs ? "make-serving" : undefined;
}

/** The authorities that are not over, in the order given. */
export function tidyBundle(authorities: readonly Authority[], now: number): string {
  return authorities.filter(({ notAfter }) => now < notAfter).map(({ pem }) => pem).join("");
}

function madeAt({ notBefore }: Validity, { backdateMs }: CertificateTiming): number {
  return notBefore + backdateMs;
}

function isValid({ notBefore, notAfter }: Validity, now: number): boolean {
  return notBefore <= now && now < notAfter;
}

/** Whether it ends in less than `renewMs`, unless it was made for no longer than that. */
function isDue(
  validity: Validity,
  renewMs: number,
  timing: CertificateTiming,
  now: number,
): boolean {
  const life = validity.notAfter - madeAt(validity, timing);
  return !isValid(validity, now) ||
    now >= validity.notAfter - Math.min(renewMs, life - JUST_MADE_MS);
}
