/** A small file that somebody else replaces now and then: a token, a certificate. */

import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";

/** A new token is written when the old one has minutes to live. */
const TRUST_MS = 30_000;
const SIZE_MAX = 1 << 20;

export class CachedFile {
  readonly path: string;
  readonly #clock: Clock;
  #text: string | undefined;
  #readAt = -Infinity;

  constructor(path: string, clock: Clock = systemClock) {
    this.path = path;
    this.#clock = clock;
  }

  /**
   * The text of the file, at most 30 s old, trimmed. If it can't be read now, what was read before.
   * Throws K8slanError "NoCredentials" if it never could.
   */
  read(): string {
    const now = this.#clock.now();
    if (this.#text !== undefined && now - this.#readAt < TRUST_MS) return this.#text;
    try {
      const { size } = Deno.statSync(this.path);
      if (size > SIZE_MAX) throw new Error(`it is larger than ${SIZE_MAX} bytes`);
      const text = Deno.readTextFileSync(this.path).trim();
      if (text === "") throw new Error("it is empty");
      this.#text = text;
      this.#readAt = now;
      return text;
    } catch (error) {
      // In the midst of being replaced, or gone: what we have may still be good.
      if (this.#text !== undefined) return this.#text;
      throw new K8slanError("NoCredentials", `Cannot use the file "${this.path}"`, {
        retriable: true,
        cause: error,
      });
    }
  }

  /** Look at the file next time. */
  forget(): void {
    this.#readAt = -Infinity;
  }
}
