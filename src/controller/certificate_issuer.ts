/** Makes and renews the webhook's certificate, in whichever process leads. */

import { type Backoff, backoffMs } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { JsonPatchStep, KubeApi } from "../kube/kube_api.ts";
import { isConflict } from "../kube/kube_error.ts";
import { keyOf, type KubeObject } from "../kube/objects.ts";
import type { Resource } from "../kube/resource.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  type MutatingWebhookConfiguration,
  type Secret,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type ValidatingWebhookConfiguration,
} from "../kube/resources.ts";
import {
  AUTHORITIES_FILE,
  AUTHORITY_KEY_FILE,
  CERTIFICATE_FILE,
  type CertificateFacts,
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
import { bundlesOf, type CertificateSecret } from "./certificate_secret.ts";

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
  /** Versions that a step has replaced: nothing is done until the watch tells of what came of it. */
  readonly #replaced = new Set<string>();
  /** The same of the webhook for pods, for which nothing else waits. */
  #replacedForPods: string | undefined;

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
    const { facts, published, secret, configuration, isSynced } = source;
    if (api === undefined || facts === undefined || secret === undefined || !isSynced) return;
    const isStale = [secret, configuration].some((object) =>
      object !== undefined && this.#replaced.has(versionOf(object))
    );
    if (isStale) return undefined;
    this.#replaced.clear();
    const step = nextCertificateStep({ facts, published, names }, this.#timing, this.#date());
    const from = { api, secret, facts, signal };
    // Last, so that nothing waits for what is optional, whatever becomes of it.
    if (step === undefined) return await this.#publishForPods(from);
    if (step === "publish-bundle") {
      if (configuration === undefined) return undefined;
      await this.#publish(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration, from);
      this.#replaced.add(versionOf(configuration));
    } else {
      await this.#write(await this.#files(step, facts), from);
    }
    log.info("Renewed the webhook's certificate", { step });
    return step;
  }

  /** The files of the Secret that a step changes. */
  async #files(
    step: Exclude<CertificateStep, "publish-bundle">,
    { authorities, signer }: CertificateFacts,
  ): Promise<Readonly<Record<string, string>>> {
    const bundle = tidyBundle(authorities, this.#date());
    if (step === "tidy-bundle") return { [AUTHORITIES_FILE]: bundle };
    const { issueAuthority, issueServing } = await import("./cert_issue.ts");
    if (step === "make-authority" || signer === undefined) {
      const made = await issueAuthority("k8slan-webhook-ca", this.#term(this.#timing.authorityMs));
      return { [AUTHORITIES_FILE]: bundle + made.certificate, [AUTHORITY_KEY_FILE]: made.key };
    }
    const authority = { certificate: signer.pem, key: signer.key };
    const term = this.#term(this.#timing.servingMs);
    const { certificate, key } = await issueServing(authority, this.#options.names, term);
    return { [CERTIFICATE_FILE]: certificate, [KEY_FILE]: key };
  }

  #term(ms: number): { readonly notBefore: Date; readonly notAfter: Date } {
    const now = this.#date();
    return { notBefore: new Date(now - this.#timing.backdateMs), notAfter: new Date(now + ms) };
  }

  /** Writes files of the Secret, if it is still the one that was read: its version says so. */
  async #write(
    files: Readonly<Record<string, string>>,
    { api, secret, signal }: StepContext,
  ): Promise<void> {
    const { uid, resourceVersion } = secret.metadata;
    const data = Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name, encodeBase64(text)]),
    );
    const body = { metadata: { uid, resourceVersion }, data };
    await api.patch(SECRETS, keyOf(secret), { type: "merge", body }, { signal });
    this.#replaced.add(versionOf(secret));
  }

  /** The same for the webhook for pods, if there is one that doesn't have the bundle. */
  async #publishForPods(from: StepContext): Promise<CertificateStep | undefined> {
    const { source: { podConfiguration }, log } = this.#options;
    if (podConfiguration === undefined) return undefined;
    const version = versionOf(podConfiguration);
    const { bundle } = from.facts;
    if (version === this.#replacedForPods) return undefined;
    if (bundlesOf(podConfiguration).every((published) => published === bundle)) return undefined;
    await this.#publish(MUTATING_WEBHOOK_CONFIGURATIONS, podConfiguration, from);
    this.#replacedForPods = version;
    log.info("Told API servers whom to trust as the webhook for pods");
    return "publish-bundle";
  }

  /** Puts the bundle, and nothing else, into the configuration that was read. */
  async #publish<T extends WebhookConfiguration>(
    resource: Resource<T>,
    configuration: T,
    { api, facts, signal }: StepContext,
  ): Promise<void> {
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
    await api.patch(resource, keyOf(configuration), patch, { signal });
  }
}

/** What a step goes by: all of one moment. */
interface StepContext {
  readonly api: KubeApi;
  readonly secret: Secret;
  readonly facts: CertificateFacts;
  readonly signal: AbortSignal;
}

type WebhookConfiguration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

function versionOf({ kind, metadata: { uid, resourceVersion } }: KubeObject): string {
  return `${kind} ${uid} ${resourceVersion}`;
}
