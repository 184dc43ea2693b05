/** Makes and renews the webhook's certificate, in whichever process leads. */

import { type Backoff, backoffMs } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { JsonPatchStep, KubeApi } from "../kube/kube_api.ts";
import { isConflict } from "../kube/kube_error.ts";
import { keyOf } from "../kube/objects.ts";
import { SECRETS, VALIDATING_WEBHOOK_CONFIGURATIONS } from "../kube/resources.ts";
import {
  AUTHORITIES_FILE,
  AUTHORITY_KEY_FILE,
  CERTIFICATE_FILE,
  encodeBase64,
  KEY_FILE,
} from "./cert_facts.ts";
import {
  CERTIFICATE_TIMING,
  type CertificateStep,
  type CertificateTiming,
  nextCertificateStep,
  tidyBundle,
} from "./cert_plan.ts";
import type { CertificateSecret } from "./certificate_secret.ts";

export interface CertificateIssuerOptions {
  readonly source: CertificateSecret;
  /** Undefined while another process leads. */
  readonly leaderApi: () => KubeApi | undefined;
  /** What the certificate is for, as in `DNS:a.b.svc`. */
  readonly names: readonly string[];
  readonly log: Log;
  readonly timing?: CertificateTiming;
  readonly clock?: Clock;
  /** Milliseconds since 1970. */
  readonly date?: () => number;
}

/** Between two looks at clock and leadership, which cost nothing. */
const LOOK_MS = 1_000;
const BACKOFF: Backoff = { firstMs: 1_000, mostMs: 60_000 };

export class CertificateIssuer {
  readonly #options: CertificateIssuerOptions;
  readonly #date: () => number;
  readonly #timing: CertificateTiming;
  /** Versions of the objects that the last step was about: nothing is done twice about one state. */
  #actedOn: string | undefined;

  constructor(options: CertificateIssuerOptions) {
    this.#options = options;
    this.#date = options.date ?? Date.now;
    this.#timing = options.timing ?? CERTIFICATE_TIMING;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { source, clock = systemClock, log } = this.#options;
    let wake = new AbortController();
    const change = () => wake.abort();
    source.onChange = change;
    signal.addEventListener("abort", change);
    let failures = 0;
    while (!signal.aborted) {
      wake = new AbortController();
      let waitMs = LOOK_MS;
      try {
        await this.step(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        waitMs = backoffMs(BACKOFF, ++failures, Math.random());
        const level = isConflict(error) ? "debug" : "warn";
        log[level]("The webhook's certificate can't be renewed", {
          againMs: waitMs,
          error: describe(error),
        });
      }
      await clock.sleep(waitMs, failures > 0 ? signal : wake.signal);
    }
    signal.removeEventListener("abort", change);
  }

  /** Does what is due next, and says what that was; undefined if there is nothing to do or to lead. */
  async step(signal: AbortSignal): Promise<CertificateStep | undefined> {
    const { source, leaderApi, names, log } = this.#options;
    const api = leaderApi();
    const { facts, published, secret, isSynced } = source;
    if (api === undefined || facts === undefined || secret === undefined || !isSynced) return;
    const versions = [secret, source.configuration].map((object) =>
      object?.metadata.resourceVersion
    );
    const state = versions.join(" ");
    if (state === this.#actedOn) return undefined;
    const step = nextCertificateStep({ facts, published, names }, this.#timing, this.#date());
    if (step === undefined) return undefined;
    await this.#do(step, api, signal);
    this.#actedOn = state;
    log.info("Renewed the webhook's certificate", { step });
    return step;
  }

  async #do(step: CertificateStep, api: KubeApi, signal: AbortSignal): Promise<void> {
    const { authorities = [], signer } = this.#options.source.facts ?? {};
    const now = this.#date();
    if (step === "publish-bundle") return await this.#publish(api, signal);
    if (step === "tidy-bundle") {
      return await this.#write(api, { [AUTHORITIES_FILE]: tidyBundle(authorities, now) }, signal);
    }
    const { issueAuthority, issueServing } = await import("./cert_issue.ts");
    if (step === "make-authority") {
      const made = await issueAuthority("k8slan-webhook-ca", this.#term(this.#timing.authorityMs));
      return await this.#write(api, {
        [AUTHORITIES_FILE]: tidyBundle(authorities, now) + made.certificate,
        [AUTHORITY_KEY_FILE]: made.key,
      }, signal);
    }
    if (signer === undefined) return;
    const authority = { certificate: signer.pem, key: signer.key };
    const term = this.#term(this.#timing.servingMs);
    const { certificate, key } = await issueServing(authority, this.#options.names, term);
    await this.#write(api, { [CERTIFICATE_FILE]: certificate, [KEY_FILE]: key }, signal);
  }

  #term(ms: number): { readonly notBefore: Date; readonly notAfter: Date } {
    const now = this.#date();
    return { notBefore: new Date(now - this.#timing.backdateMs), notAfter: new Date(now + ms) };
  }

  /** Writes these files of the Secret, if it is still the one that was read. */
  async #write(
    api: KubeApi,
    files: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { secret } = this.#options.source;
    if (secret === undefined) return;
    const { uid, resourceVersion } = secret.metadata;
    const data = Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name, encodeBase64(text)]),
    );
    const body = { metadata: { uid, resourceVersion }, data };
    await api.patch(SECRETS, keyOf(secret), { type: "merge", body }, { signal });
  }

  /** Puts the bundle, and nothing else, into the configuration that was read. */
  async #publish(api: KubeApi, signal: AbortSignal): Promise<void> {
    const { configuration, facts } = this.#options.source;
    if (configuration === undefined || facts === undefined) return;
    const { resourceVersion } = configuration.metadata;
    const value = encodeBase64(facts.bundle);
    const steps: JsonPatchStep[] = [
      // Unlike a "test", this is answered by a conflict if it is another one by now.
      { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
      ...(configuration.webhooks ?? []).map((_, at): JsonPatchStep => (
        { op: "add", path: `/webhooks/${at}/clientConfig/caBundle`, value }
      )),
    ];
    const patch = { type: "json", steps } as const;
    await api.patch(VALIDATING_WEBHOOK_CONFIGURATIONS, keyOf(configuration), patch, { signal });
  }
}
