/** How far a LAN's network attachment definitions are, and the condition that says so. */

import { NETWORK_ATTACHMENT_DEFINITIONS } from "../kube/resources.ts";
import { keyText } from "../kube/objects.ts";
import { resourceText } from "../kube/resource.ts";
import type { ForeignNetwork } from "./network_diff.ts";
import { counted, quoted, textList } from "../base/text_list.ts";

export type NetworksState =
  /** None shall be: the LAN isn't accepted, or goes. */
  | NetworksRemoved
  /** The cluster doesn't know their kind. */
  | { readonly kind: "multus missing" }
  /** What is there can't be read. */
  | { readonly kind: "unknown"; readonly error: string }
  | NetworksWritten;

export interface NetworksRemoved extends WritesLeft {
  readonly kind: "none";
  readonly why: "not accepted" | "deleting";
}

interface WritesLeft {
  /** How many have yet to be written, or removed. */
  readonly rest: number;
  /** Why some of them failed; not of all of them. */
  readonly errors: readonly string[];
}

export interface NetworksWritten extends WritesLeft {
  readonly kind: "written";
  /** Namespaces they are in, and how many they shall be in all. */
  readonly namespaces: readonly string[];
  readonly wanted: number;
  readonly foreign: readonly (ForeignNetwork & { /** `namespace/name` */ readonly lan?: string })[];
  /** Namespaces that are not there, or that go. */
  readonly missing: readonly string[];
}

/** A condition before it is known since when it holds. */
export interface Saying {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

const NETWORKS = "network attachment definition";

/** Condition NetworksReady. */
export function networksSaying(state: NetworksState): Saying {
  const not = (reason: string, message: string): Saying => ({ status: "False", reason, message });
  switch (state.kind) {
    case "none":
      return not("Pending", removedText(state));
    case "multus missing":
      return not(
        "MultusMissing",
        `The cluster has no ${resourceText(NETWORK_ATTACHMENT_DEFINITIONS)}; install Multus, and ` +
          "they are made within half a minute",
      );
    case "unknown":
      return not("Pending", `The cluster's ${NETWORKS}s can't be read: ${state.error}`);
    case "written":
      return writtenSaying(state);
  }
}

function removedText({ why, rest, errors }: NetworksRemoved): string {
  const text = why === "deleting"
    ? `The LAN shall have no ${NETWORKS}s any more, since it is being deleted`
    : `${NETWORKS}s are made when the LAN is accepted`.replace(/^n/, "N");
  const left = rest === 0 ? "" : `; ${rest} have yet to be removed`;
  return `${text}${left}${errors.length === 0 ? "" : `; ${errorsText(errors)}`}`;
}

function errorsText(errors: readonly string[]): string {
  const texts = textList(errors, { most: 3, chars: 2000, separator: "; " });
  return `some can't be written, which is tried again: ${texts}`;
}

/** Everything that is wrong is said; the reason is the worst of it. */
function writtenSaying(state: NetworksWritten): Saying {
  const { namespaces, wanted, foreign, missing, rest, errors } = state;
  const faults: { readonly reason: string; readonly text: string }[] = [];
  if (foreign.length > 0) {
    const names = foreign.map(({ key, lan }) =>
      `"${keyText(key)}"${lan === undefined ? "" : ` (of LAN "${lan}")`}`
    );
    faults.push({
      reason: "NameTaken",
      text: `${counted(foreign.length, NETWORKS)} of the wanted names ` +
        `${foreign.length === 1 ? "is" : "are"} not this LAN's, and left alone: ` +
        `${textList(names)}; delete or rename them`,
    });
  }
  if (missing.length > 0) {
    faults.push({
      reason: "NamespaceMissing",
      text: `${missing.length === 1 ? "Namespace" : "Namespaces"} ${textList(quoted(missing))} ` +
        `${missing.length === 1 ? "does" : "do"} not exist, or not for long; create what is ` +
        "missing or correct spec.namespaces",
    });
  }
  if (rest > 0) {
    const why = errors.length === 0 ? "" : `; ${errorsText(errors)}`;
    const text = `${rest} of ${wanted} ${NETWORKS}s have yet to be written${why}`;
    faults.push({ reason: "Pending", text });
  }
  const worst = faults[0];
  if (worst !== undefined) {
    const message = faults.map(({ text }) => text).join(". ");
    return { status: "False", reason: worst.reason, message };
  }
  const place = namespaces.length === 1 ? "namespace" : "namespaces";
  return {
    status: "True",
    reason: "Ready",
    message: `${counted(wanted, NETWORKS)} in ${place} ${textList(quoted(namespaces))}`,
  };
}
