/** The webhook's certificate in a Secret of ours, followed by every replica. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "../kube/kube_api.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import type { Resource } from "../kube/resource.ts";
import {
  type Secret,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type ValidatingWebhookConfiguration,
} from "../kube/resources.ts";
import { Store } from "../kube/store.ts";
import { watchResource } from "../kube/watcher.ts";
import { type CertificateFacts, decodeBase64, readSecret, type Validity } from "./cert_facts.ts";
import {
  type CertificateSource,
  PairChange,
  type UsePair,
  validityProblem,
} from "./certificate_source.ts";

export interface CertificateSecretOptions {
  readonly api: KubeApi;
  readonly secret: ObjectKey & { readonly namespace: string };
  /** Name of the ValidatingWebhookConfiguration. */
  readonly configuration: string;
  readonly use: UsePair;
  readonly log: Log;
}

export class CertificateSecret implements CertificateSource {
  /** Told of every change of what `secret`, `facts` and `published` give. */
  onChange: () => void = () => {};
  readonly #options: CertificateSecretOptions;
  readonly #secrets = new Store<Secret>();
  readonly #configurations = new Store<ValidatingWebhookConfiguration>();
  readonly #pair: PairChange;
  #facts: CertificateFacts | undefined;
  #trouble: string | undefined;

  constructor(options: CertificateSecretOptions) {
    this.#options = options;
    this.#pair = new PairChange(options.use);
  }

  /** Whether both objects, or their absence, have been seen. */
  get isSynced(): boolean {
    return this.#secrets.isSynced && this.#configurations.isSynced;
  }

  get secret(): Secret | undefined {
    return this.#secrets.get(this.#options.secret);
  }

  /** What is in the Secret; undefined if there is none. */
  get facts(): CertificateFacts | undefined {
    return this.#facts;
  }

  get configuration(): ValidatingWebhookConfiguration | undefined {
    return this.#configurations.get({ name: this.#options.configuration });
  }

  /** The bundle of each webhook of the configuration; empty if there is none. */
  get published(): readonly string[] {
    return this.configuration?.webhooks?.map(({ clientConfig }) =>
      decodeBase64(clientConfig.caBundle)
    ) ?? [];
  }

  get serving(): Validity | undefined {
    return this.#pair.served;
  }

  get authority(): Validity | undefined {
    return this.#pair.served?.signer;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { secret: { namespace, name }, configuration } = this.#options;
    await Promise.all([
      this.#follow(SECRETS, this.#secrets, { namespace, name }, signal),
      this.#follow(
        VALIDATING_WEBHOOK_CONFIGURATIONS,
        this.#configurations,
        { name: configuration },
        signal,
      ),
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

  async #follow<T extends KubeObject>(
    resource: Resource<T>,
    store: Store<T>,
    { namespace, name }: ObjectKey,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, log } = this.#options;
    let troubles = 0;
    const watching = watchResource(api, resource, {
      signal,
      ...(namespace === undefined ? {} : { namespace }),
      // The role allows this one object and no other.
      fieldSelector: `metadata.name=${name}`,
      onTrouble: ({ during, error, afterMs }) => {
        const level = troubles++ === 0 ? "warn" : "debug";
        const what = `${resource.kind} "${name}"`;
        log[level](`The ${during} of ${what} failed`, { afterMs, error: describe(error) });
      },
    });
    for await (const event of watching) {
      troubles = 0;
      store.apply(event);
      this.#changed();
    }
  }

  #changed(): void {
    const { secret: { namespace, name } } = this.#options;
    const { secret } = this;
    this.#facts = secret === undefined ? undefined : readSecret(secret);
    this.#trouble = undefined;
    if (secret === undefined && this.#secrets.isSynced) {
      this.#trouble = `Secret "${namespace}/${name}" is missing; apply the manifest again`;
      this.#options.log.warn(this.#trouble);
    }
    const serving = this.#facts?.serving;
    if (serving !== undefined) this.#pair.offer(serving);
    this.onChange();
  }
}
