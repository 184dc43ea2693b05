/** The webhook's certificate in a folder where somebody else renews it, as cert-manager does. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { CERTIFICATE_FILE, KEY_FILE, readServing, type Validity } from "./cert_facts.ts";
import {
  type CertificateSource,
  PairChange,
  type UsePair,
  validityProblem,
} from "./certificate_source.ts";

export interface CertificateFolderOptions {
  readonly dir: string;
  readonly use: UsePair;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Kubelet takes up to a minute to bring a changed Secret here, so that seconds don't matter. */
const LOOK_MS = 10_000;
const FILE_MAX = 1 << 20;

export class CertificateFolder implements CertificateSource {
  readonly authority = undefined;
  readonly #options: CertificateFolderOptions;
  readonly #pair: PairChange;
  #trouble: string | undefined;

  constructor(options: CertificateFolderOptions) {
    this.#options = options;
    this.#pair = new PairChange(options.use);
  }

  get serving(): Validity | undefined {
    return this.#pair.served;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock = systemClock } = this.#options;
    while (!signal.aborted) {
      await this.look();
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Reads the folder; what is half-written is left for the next time. */
  async look(): Promise<void> {
    const { dir, log } = this.#options;
    try {
      const [certificate, key] = await Promise.all([
        readSmall(`${dir}/${CERTIFICATE_FILE}`),
        readSmall(`${dir}/${KEY_FILE}`),
      ]);
      if (certificate === this.#pair.served?.pair.certificate) {
        this.#trouble = undefined;
        return;
      }
      const facts = readServing({ certificate, key });
      if (facts === undefined) {
        throw new K8slanError(
          "BadCertificate",
          `${CERTIFICATE_FILE} and ${KEY_FILE} in "${dir}" are no certificate and its key`,
        );
      }
      this.#pair.offer(facts);
      this.#trouble = undefined;
    } catch (error) {
      const trouble = `The webhook's certificate can't be read: ${describe(error)}`;
      if (trouble !== this.#trouble) log.warn(trouble);
      this.#trouble = trouble;
    }
  }

  problem(now: number): string | undefined {
    const { served } = this.#pair;
    if (served === undefined) return this.#trouble ?? "The webhook's certificate is not read yet";
    return validityProblem("The webhook's certificate", served, now);
  }
}

async function readSmall(path: string): Promise<string> {
  const { size } = await Deno.stat(path);
  if (size > FILE_MAX) throw new Error(`"${path}" is larger than ${FILE_MAX} bytes`);
  return await Deno.readTextFile(path);
}
