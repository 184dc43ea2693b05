/** The LANs that exist, which of them are accepted, and how requests name them. */

import { quoted, textList } from "../base/text_list.ts";
import { K8slanError } from "../base/errors.ts";
import type { Lan } from "../api/lan.ts";
import { acceptLans, type Verdict } from "../plan/acceptance.ts";
import { lanName } from "../plan/lan_plan.ts";
import { markId } from "../plan/mark.ts";

export interface KnownLan {
  readonly lan: Lan;
  readonly verdict: Verdict;
}

/** How a CNI configuration names what to attach to. */
export interface LanSelector {
  readonly lan?: { readonly namespace?: string | undefined; readonly name: string } | undefined;
  readonly spoke?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly podNamespace?: string | undefined;
}

export class LanRegistry {
  #byId: ReadonlyMap<string, KnownLan> = new Map();
  #bySpoke: ReadonlyMap<string, KnownLan> = new Map();
  #byName: ReadonlyMap<string, readonly KnownLan[]> = new Map();

  /** Replaces all LANs. Returns the ids of those that came, went or changed. */
  replace(lans: readonly Lan[]): string[] {
    const verdicts = acceptLans(lans);
    const before = this.#byId;
    const known = lans.map((lan): KnownLan => ({
      lan,
      verdict: verdicts.get(lan.metadata.uid)!,
    }));
    this.#byId = new Map(known.map((entry) => [markId(entry.lan.metadata.uid), entry]));
    const accepted = known.filter(({ verdict }) => verdict.accepted);
    this.#bySpoke = new Map(
      accepted.flatMap((entry) => entry.lan.spec.spokes.map((spoke) => [spoke, entry] as const)),
    );
    this.#byName = Map.groupBy(known, ({ lan }) => lan.metadata.name);
    const ids = new Set([...before.keys(), ...this.#byId.keys()]);
    return [...ids].filter((id) => {
      return JSON.stringify(before.get(id)) !== JSON.stringify(this.#byId.get(id));
    });
  }

  all(): Iterable<KnownLan> {
    return this.#byId.values();
  }

  ids(): Iterable<string> {
    return this.#byId.keys();
  }

  get(id: string): KnownLan | undefined {
    return this.#byId.get(id);
  }

  /** The accepted LAN of that id. */
  accepted(id: string): Lan | undefined {
    const known = this.#byId.get(id);
    return known?.verdict.accepted ? known.lan : undefined;
  }

  /** The accepted LAN that has the spoke. */
  ofSpoke(spoke: string): Lan | undefined {
    return this.#bySpoke.get(spoke)?.lan;
  }

  /**
   * The LAN and spoke that a request to attach means. Throws `K8slanError` "LanNotFound",
   * "LanAmbiguous", "LanNotAccepted", "LanDeleting", "SpokeNotFound" or "NamespaceNotAllowed".
   */
  select(selector: LanSelector): { lan: Lan; spoke?: string } {
    const spoke = selector.spoke ?? selector.deviceId;
    const known = selector.lan === undefined
      ? this.#ofSpoke(spoke!)
      : this.#ofName(selector.lan, selector.podNamespace);
    const { lan, verdict } = known;
    const name = lanName(lan);
    if (!verdict.accepted) {
      throw new K8slanError("LanNotAccepted", `LAN "${name}" is not accepted: ${verdict.message}`, {
        retriable: true,
      });
    }
    // What is attached to it stays, so that it is accepted still.
    if (isDeleting(lan)) {
      throw new K8slanError(
        "LanDeleting",
        `LAN "${name}" is being deleted and takes no new workloads; when it is gone, create it again or use another LAN`,
        { retriable: true },
      );
    }
    if (spoke !== undefined && this.#bySpoke.get(spoke) !== known) {
      throw new K8slanError(
        "SpokeNotFound",
        `LAN "${name}" has no spoke "${spoke}"; add it to spec.spokes or name one of ${
          listed(lan.spec.spokes)
        }`,
        { retriable: true },
      );
    }
    requireNamespace(lan, selector.podNamespace);
    return { lan, ...(spoke === undefined ? {} : { spoke }) };
  }

  #ofSpoke(spoke: string): KnownLan {
    const known = this.#bySpoke.get(spoke);
    if (known !== undefined) return known;
    const refused = this.#byId.values().find(({ lan }) => lan.spec.spokes.includes(spoke));
    if (refused !== undefined) return refused;
    throw new K8slanError(
      "SpokeNotFound",
      `No LAN has a spoke "${spoke}"; add it to spec.spokes of one`,
      { retriable: true },
    );
  }

  #ofName(
    { namespace, name }: { namespace?: string | undefined; name: string },
    podNamespace: string | undefined,
  ): KnownLan {
    const candidates = this.#byName.get(name) ?? [];
    const inNamespace = (wanted: string | undefined) =>
      candidates.find(({ lan }) => lan.metadata.namespace === wanted);
    const found = namespace !== undefined
      ? inNamespace(namespace)
      : inNamespace(podNamespace) ?? (candidates.length === 1 ? candidates[0] : undefined);
    if (found !== undefined) return found;
    const asked = namespace === undefined ? name : `${namespace}/${name}`;
    if (namespace === undefined && candidates.length > 1) {
      throw new K8slanError(
        "LanAmbiguous",
        `"${asked}" could be any of ${
          listed(candidates.map(({ lan }) => lanName(lan)))
        }; name its namespace too`,
      );
    }
    throw new K8slanError(
      "LanNotFound",
      `There is no LAN "${asked}"; create it or correct the name`,
      { retriable: true },
    );
  }
}

/** Whether somebody has asked for the LAN to go, which it does with its last attachment. */
export function isDeleting(lan: Lan): boolean {
  return lan.metadata.deletionTimestamp !== undefined;
}

function requireNamespace(lan: Lan, podNamespace: string | undefined): void {
  if (podNamespace === undefined) return;
  const offered = lan.spec.namespaces ?? [lan.metadata.namespace];
  if (offered.includes(podNamespace)) return;
  throw new K8slanError(
    "NamespaceNotAllowed",
    `LAN "${lanName(lan)}" is not offered in namespace "${podNamespace}", only in ${
      listed(offered)
    }; add it to spec.namespaces`,
  );
}

function listed(names: readonly string[]): string {
  return textList(quoted(names), { most: 8 }) || "none";
}
