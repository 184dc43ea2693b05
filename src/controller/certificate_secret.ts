/** The webhook's certificate in a Secret of ours, followed by every replica. */

import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import type { ObjectKey } from "../kube/objects.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  type MutatingWebhookConfiguration,
  type Secret,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type ValidatingWebhookConfiguration,
} from "../kube/resources.ts";
import { type CertificateFacts, decodeBase64, readSecret, type Validity } from "./cert_facts.ts";
import {
  type CertificateSource,
  PairChange,
  type UsePair,
  validityProblem,
} from "./certificate_source.ts";
import { OneObject } from "./one_object.ts";

export interface CertificateSecretOptions {
  readonly api: KubeApi;
  readonly secret: ObjectKey & { readonly namespace: string };
  /** Name of the ValidatingWebhookConfiguration. */
  readonly configuration: string;
  /** Name of the MutatingWebhookConfiguration, which need not be there. */
  readonly podConfiguration: string;
  readonly use: UsePair;
  readonly log: Log;
}

export class CertificateSecret implements CertificateSource {
  /** Told of every change of what `secret`, `facts` and `published` give. */
  onChange: () => void = () => {};
  readonly #options: CertificateSecretOptions;
  readonly #secret: OneObject<Secret>;
  readonly #configuration: OneObject<ValidatingWebhookConfiguration>;
  readonly #podConfiguration: OneObject<MutatingWebhookConfiguration>;
  readonly #pair: PairChange;
  #facts: CertificateFacts | undefined;
  #trouble: string | undefined;

  constructor(options: CertificateSecretOptions) {
    this.#options = options;
    this.#pair = new PairChange(options.use);
    const { api, log, secret, configuration, podConfiguration } = options;
    this.#secret = new OneObject({ api, log, resource: SECRETS, key: secret });
    this.#configuration = new OneObject({
      ...{ api, log, resource: VALIDATING_WEBHOOK_CONFIGURATIONS, key: { name: configuration } },
    });
    this.#podConfiguration = new OneObject({
      ...{ api, log, resource: MUTATING_WEBHOOK_CONFIGURATIONS, key: { name: podConfiguration } },
      isOptional: true,
    });
  }

  /** Whether Secret and configuration, or their absence, have been seen. */
  get isSynced(): boolean {
    return this.#secret.isSynced && this.#configuration.isSynced;
  }

  get secret(): Secret | undefined {
    return this.#secret.object;
  }

  /** What is in the Secret; undefined if there is none. */
  get facts(): CertificateFacts | undefined {
    return this.#facts;
  }

  get configuration(): ValidatingWebhookConfiguration | undefined {
    return this.#configuration.object;
  }

  /** That of the webhook for pods; undefined as well where it may not be seen. */
  get podConfiguration(): MutatingWebhookConfiguration | undefined {
    return this.#podConfiguration.object;
  }

  /** The bundle of each webhook of the configuration; empty if there is none. */
  get published(): readonly string[] {
    return bundlesOf(this.configuration);
  }

  get serving(): Validity | undefined {
    return this.#pair.served;
  }

  get authority(): Validity | undefined {
    return this.#pair.served?.signer;
  }

  async run(signal: AbortSignal): Promise<void> {
    const changed = () => this.#changed();
    await Promise.all([
      this.#secret.run(changed, signal),
      this.#configuration.run(changed, signal),
      this.#podConfiguration.run(() => this.onChange(), signal),
    ]);
  }

  problem(now: number): string | undefined {
    const { secret: { namespace, name }, configuration } = this.#options;
    const { served } = this.#pair;
    if (served === undefined) {
      return this.#trouble ??
        `Secret "${namespace}/${name}" has no certificate yet, which the leader makes`;
    }
    const byClock = validityProblem("The webhook's certificate", served, now);
    if (byClock !== undefined) return byClock;
    const { signer } = served;
    // Without a configuration nobody calls, and without a signer it can't be told.
    if (signer !== undefined && this.published.some((bundle) => !bundle.includes(signer.pem))) {
      return `The API server does not trust the webhook's certificate: caBundle of ` +
        `ValidatingWebhookConfiguration "${configuration}" lacks its authority, which the leader adds`;
    }
    return undefined;
  }

  #changed(): void {
    const { secret: { namespace, name } } = this.#options;
    const { secret } = this;
    this.#facts = secret === undefined ? undefined : readSecret(secret);
    this.#trouble = undefined;
    if (secret === undefined && this.#secret.isSynced) {
      this.#trouble = `Secret "${namespace}/${name}" is missing; apply the manifest again`;
      this.#options.log.warn(this.#trouble);
    }
    const serving = this.#facts?.serving;
    if (serving !== undefined) this.#pair.offer(serving);
    this.onChange();
  }
}

/** The bundle of each webhook of a configuration, as text. */
export function bundlesOf(
  configuration: ValidatingWebhookConfiguration | MutatingWebhookConfiguration | undefined,
): readonly string[] {
  return configuration?.webhooks?.map(({ clientConfig }) => decodeBase64(clientConfig.caBundle)) ??
    [];
}
