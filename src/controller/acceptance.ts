/** The verdict on each LAN of the cluster, and whose verdict a change has altered. */

import { type Lan, type LanValidation, validateLan } from "../api/lan.ts";
import { describeIssues } from "../api/issues.ts";
import { keyOf, keyText } from "../kube/objects.ts";
import type { LanObject } from "../kube/resources.ts";
import { acceptLans, type Verdict } from "../plan/acceptance.ts";
import type { LanVerdict } from "./lan_conditions.ts";

export class Acceptance {
  readonly #objects: () => readonly LanObject[];
  /** Objects are never changed in place, so each is looked at once. */
  readonly #validations = new WeakMap<LanObject, LanValidation>();
  #verdicts: ReadonlyMap<string, Verdict> = new Map();
  #isStale = true;

  constructor(objects: () => readonly LanObject[]) {
    this.#objects = objects;
  }

  /** To be called after each change of the objects. */
  changed(): void {
    this.#isStale = true;
  }

  validation(object: LanObject): LanValidation {
    const known = this.#validations.get(object);
    if (known !== undefined) return known;
    // The status may be large, and is no part of what is checked.
    const { status: _, ...rest } = object;
    const validation = validateLan(rest);
    this.#validations.set(object, validation);
    return validation;
  }

  /** The valid LANs; those being deleted too, since they hold what they have until they are gone. */
  lans(): readonly Lan[] {
    return this.#objects().flatMap((object) => {
      const validation = this.validation(object);
      return "lan" in validation ? [validation.lan] : [];
    });
  }

  /** Keys of the LANs on which the verdict is another one than at the last call. */
  refresh(): readonly string[] {
    if (!this.#isStale) return [];
    this.#isStale = false;
    const before = this.#verdicts;
    this.#verdicts = acceptLans(this.lans());
    return this.#objects().flatMap((object) => {
      const { uid } = object.metadata;
      const isSame = textOf(before.get(uid)) === textOf(this.#verdicts.get(uid));
      return isSame ? [] : [keyText(keyOf(object))];
    });
  }

  /** As of the last `refresh()`; undefined for a valid LAN that was not there then. */
  verdict(object: LanObject): LanVerdict | undefined {
    const validation = this.validation(object);
    if ("issues" in validation) {
      return { kind: "invalid", message: describeIssues(validation.issues) };
    }
    const verdict = this.#verdicts.get(object.metadata.uid);
    if (verdict === undefined) return undefined;
    const { ns, vni } = validation.lan.spec;
    return verdict.accepted
      ? { kind: "accepted", ns, vni }
      : { kind: "conflict", message: verdict.message };
  }
}

function textOf(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "";
  return verdict.accepted ? "accepted" : verdict.message;
}
