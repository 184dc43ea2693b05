/**
 * What is added to a pod so that it gets the devices of the networks it names: pure. A pod is never
 * refused; what can't be done is said in a warning.
 */

import { shortLabel } from "../api/lan_spec.ts";
import { NETWORKS_ANNOTATION, RESOURCE_PREFIX } from "../api/names.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { JsonPatchStep } from "../kube/kube_api.ts";
import { keyText } from "../kube/objects.ts";
import { isRecord } from "../kube/resource.ts";
import { type NetworkKey, parsePodNetworks } from "./pod_networks.ts";
import type { AdmissionAnswer, AdmissionAsk } from "./webhook_review.ts";

/** What led to the answer; the label of a metric. */
export type PodDecisionKind = "mutated" | "unchanged" | "skipped" | "malformed" | "unread";

export interface PodDecision {
  readonly kind: PodDecisionKind;
  readonly answer: AdmissionAnswer;
}

/** What was found of a network: its device resource, or why that is not known. */
export type FoundNetwork =
  /** `resource` is undefined where the network needs no device. */
  | { readonly state: "found"; readonly resource: string | undefined }
  | { readonly state: "absent" | "unread" };

/** Names the main container to kubectl, and here: others may have put theirs in front of it. */
const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

/** The networks to be looked up for the decision; or the decision, where there are none. */
export function networksToRead(ask: AdmissionAsk): readonly NetworkKey[] | PodDecision {
  const { operation, resource, object, namespace } = ask;
  // All of these the API server is told not to ask about; it may have been told otherwise.
  if (resource !== "pods." || operation !== "CREATE" || !namespace) return SKIPPED;
  const text = annotationsOf(object)[NETWORKS_ANNOTATION];
  if (typeof text !== "string" || text === "") return SKIPPED;
  try {
    return parsePodNetworks(text, namespace);
  } catch (error) {
    if (!(error instanceof K8slanError)) throw error;
    return malformed(`Annotation "${NETWORKS_ANNOTATION}" ${describe(error)}`);
  }
}

/** `found` is what is known of each of `networksToRead()`, in the same order. */
export function decidePod(
  ask: AdmissionAsk,
  networks: readonly NetworkKey[],
  found: readonly FoundNetwork[],
): PodDecision {
  const { resources, warnings } = lookThrough(networks, found);
  const isUnread = found.some(({ state }) => state !== "found");
  const wanted = resources.filter((resource) => !isAskedFor(resource, ask.object));
  if (wanted.length === 0) {
    return { kind: isUnread ? "unread" : "unchanged", answer: { allowed: true, warnings } };
  }
  const containers = containersOf(ask.object);
  const at = mainContainer(containers, ask.object);
  const container = containers[at];
  if (container === undefined) return malformed("The pod has no container");
  return {
    kind: isUnread ? "unread" : "mutated",
    answer: { allowed: true, warnings, patch: requests(at, container, wanted) },
  };
}

/** The devices that a pod needs for `networks`, each once, and what its author should know. */
function lookThrough(networks: readonly NetworkKey[], found: readonly FoundNetwork[]) {
  const warnings: string[] = [];
  const names = new Map<string, string>();
  for (const [at, key] of networks.entries()) {
    const network = found[at] ?? { state: "unread" };
    const name = keyText(key);
    if (network.state !== "found") {
      warnings.push(WARNINGS[network.state](name));
      continue;
    }
    const { resource } = network;
    if (resource === undefined || !isOurs(resource)) continue;
    const other = names.get(resource);
    if (other === undefined) names.set(resource, name);
    else {
      warnings.push(
        `Networks "${other}" and "${name}" share "${resource}", of which a pod gets one only`,
      );
    }
  }
  return { resources: [...names.keys()], warnings };
}

const WARNINGS = {
  absent: (name: string) =>
    `There is no network "${name}" yet, so no device was requested for it; if it needs one, ` +
    "create the pod again once it is there",
  unread: (name: string) =>
    `Network "${name}" could not be read, so no device was requested for it; if it needs one, ` +
    "create the pod again, or write the request yourself",
} as const;

const SKIPPED: PodDecision = { kind: "skipped", answer: { allowed: true, warnings: [] } };

function malformed(what: string): PodDecision {
  const warnings = [`${what}; the pod is left as it is`];
  return { kind: "malformed", answer: { allowed: true, warnings } };
}

function isOurs(resource: string): boolean {
  const prefix = `${RESOURCE_PREFIX}/`;
  return resource.startsWith(prefix) && shortLabel.safeParse(resource.slice(prefix.length)).success;
}

/**
 * Whether a container asks for it, be it for 0: then its author has decided. A sidecar is a container
 * here, though it stands among the init containers, whose own requests end with them.
 */
function isAskedFor(resource: string, object: unknown): boolean {
  const sidecars = records(specOf(object)["initContainers"])
    .filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...containersOf(object), ...sidecars].some(({ resources }) =>
    isRecord(resources) &&
    [resources["limits"], resources["requests"]].some((amounts) =>
      isRecord(amounts) && Object.hasOwn(amounts, resource)
    )
  );
}

/** Both, though the API server would copy limits to requests: quotas and people look at requests. */
const AMOUNTS = ["limits", "requests"] as const;

/** One of each resource for the container at that place. */
function requests(
  at: number,
  { resources }: Readonly<Record<string, unknown>>,
  wanted: readonly string[],
): readonly JsonPatchStep[] {
  const path = `/spec/containers/${at}/resources`;
  const amounts = Object.fromEntries(wanted.map((resource) => [resource, "1"]));
  if (!isRecord(resources)) {
    const value = Object.fromEntries(AMOUNTS.map((field) => [field, amounts]));
    return [{ op: "add", path, value }];
  }
  return AMOUNTS.flatMap((field): readonly JsonPatchStep[] => {
    if (!isRecord(resources[field])) {
      return [{ op: "add", path: `${path}/${field}`, value: amounts }];
    }
    return wanted.map((resource) => (
      { op: "add", path: `${path}/${field}/${pointerWord(resource)}`, value: "1" }
    ));
  });
}

/** RFC 6901, section 3. */
function pointerWord(word: string): string {
  return word.replaceAll("~", "~0").replaceAll("/", "~1");
}

function mainContainer(containers: ReturnType<typeof containersOf>, object: unknown): number {
  const wanted = annotationsOf(object)[DEFAULT_CONTAINER];
  const at = containers.findIndex(({ name }) => name !== undefined && name === wanted);
  return Math.max(at, 0);
}

/** By place: what is no object stays in as an empty one. */
function containersOf(object: unknown): readonly Readonly<Record<string, unknown>>[] {
  return records(specOf(object)["containers"]);
}

function records(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.map((item: unknown) => isRecord(item) ? item : {}) : [];
}

function specOf(object: unknown): Readonly<Record<string, unknown>> {
  return recordIn(object, "spec");
}

function annotationsOf(object: unknown): Readonly<Record<string, unknown>> {
  return recordIn(recordIn(object, "metadata"), "annotations");
}

function recordIn(object: unknown, field: string): Readonly<Record<string, unknown>> {
  const value = isRecord(object) ? object[field] : undefined;
  return isRecord(value) ? value : {};
}
