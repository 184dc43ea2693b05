/** Making, repairing and deleting network attachment definitions. */

import { RESOURCE_NAME_ANNOTATION } from "../api/names.ts";
import { describe } from "../base/errors.ts";
import type { CallOptions, KubeApi } from "../kube/kube_api.ts";
import { isAlreadyExists, isConflict, isNotFound, KubeError } from "../kube/kube_error.ts";
import { keyOf } from "../kube/objects.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../kube/resources.ts";
import { inParallel } from "./in_parallel.ts";
import { type ForeignNetwork, type NetworkDiff, ownerOf } from "./network_diff.ts";
import { isAsWanted, networkMeta, type WantedNetwork } from "./networks.ts";

export interface WriteContext {
  readonly api: KubeApi;
  readonly signal: AbortSignal;
  readonly isLiving: (lanUid: string) => boolean;
  /** Called after each write. */
  readonly wrote: () => void;
}

export interface WriteResult {
  /** Namespaces that are not there, or that go. */
  readonly missing: ReadonlySet<string>;
  readonly foreign: readonly ForeignNetwork[];
  readonly errors: readonly string[];
  /** How many are left for the next time, those that failed among them. */
  readonly rest: number;
}

/** So many writes at a time, so that a LAN with thousands of spokes leaves room for others… */
const WRITES_AT_ONCE = 4;
/** …and tells how far it is. */
const WRITES_MAX = 200;
/** After so many failures the rest would fail too. */
const ERRORS_MAX = 5;
const DEADLINE_MS = 10_000;

/**
 * Writes what differs, or the first part of it. What fails is in the result. Throws only what
 * `context.signal` fires with.
 */
export async function writeNetworks(
  diff: Pick<NetworkDiff, "create" | "repair" | "remove">,
  context: WriteContext,
): Promise<WriteResult> {
  const { api, signal } = context;
  const call = { signal, deadlineMs: DEADLINE_MS };
  const missing = new Set<string>();
  const foreign: ForeignNetwork[] = [];
  /** Each once, in order: written into a status, it shall settle. */
  const errors = new Set<string>();
  const tasks: readonly (() => Promise<void>)[] = [
    ...diff.remove.map((found) => () => removeNetwork(api, found, call)),
    ...diff.repair.map(({ found, wanted }) => () => repairNetwork(api, found, wanted, call)),
    ...diff.create.map((wanted) => async () => {
      if (missing.has(wanted.namespace)) return;
      const outcome = await createNetwork(wanted, context, call);
      if (outcome === "no namespace") missing.add(wanted.namespace);
      else if (outcome !== "written") foreign.push(outcome);
    }),
  ];
  let ended = 0;
  let failures = 0;
  await inParallel(tasks.slice(0, WRITES_MAX), WRITES_AT_ONCE, async (task) => {
    if (failures >= ERRORS_MAX) return;
    try {
      await task();
      ended++;
      context.wrote();
    } catch (error) {
      signal.throwIfAborted();
      failures++;
      errors.add(describe(error));
    }
  });
  return { missing, foreign, errors: [...errors].sort(), rest: tasks.length - ended };
}

/** Deletes this very object; one that is gone is fine. Throws what `delete()` throws. */
export async function removeNetwork(
  api: KubeApi,
  found: NetworkAttachmentDefinition,
  call: CallOptions,
): Promise<void> {
  const { uid } = found.metadata;
  try {
    await api.delete(NETWORK_ATTACHMENT_DEFINITIONS, keyOf(found), { ...call, uid });
  } catch (error) {
    // Somebody else's of the same name by now, or even the kind is gone.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}

async function repairNetwork(
  api: KubeApi,
  found: NetworkAttachmentDefinition,
  wanted: WantedNetwork,
  call: CallOptions,
): Promise<void> {
  const { labels = {}, annotations = {} } = networkMeta(wanted);
  const body = {
    metadata: {
      // In this state only: what somebody did meanwhile is looked at first.
      resourceVersion: found.metadata.resourceVersion,
      labels,
      annotations: { [RESOURCE_NAME_ANNOTATION]: null, ...annotations },
    },
    spec: { config: wanted.config },
  };
  await api.patch(NETWORK_ATTACHMENT_DEFINITIONS, keyOf(found), { type: "merge", body }, call);
}

async function createNetwork(
  wanted: WantedNetwork,
  context: WriteContext,
  call: CallOptions,
): Promise<"written" | "no namespace" | ForeignNetwork> {
  const { api, isLiving } = context;
  const network = { metadata: networkMeta(wanted), spec: { config: wanted.config } };
  const create = () => api.create(NETWORK_ATTACHMENT_DEFINITIONS, network, call);
  try {
    await create();
    return "written";
  } catch (error) {
    if (isNamespaceMissing(error)) return "no namespace";
    if (!isAlreadyExists(error)) throw error;
  }
  const { namespace, name } = wanted;
  const found = await api.get(NETWORK_ATTACHMENT_DEFINITIONS, { namespace, name }, call);
  const owner = found === undefined ? "left" : ownerOf(found, wanted, isLiving);
  if (found === undefined || owner === "left") {
    if (found !== undefined) await removeNetwork(api, found, call);
    await create();
  } else if (owner !== "own") {
    return owner;
  } else if (!isAsWanted(found, wanted)) {
    await repairNetwork(api, found, wanted, call);
  }
  return "written";
}

/** Whether an object can't be made because its namespace isn't there, or goes. */
function isNamespaceMissing(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  const { status, details } = error;
  if (status === 404) return details.kind === "namespaces";
  return status === 403 && details.causes.some(({ reason }) => reason === "NamespaceTerminating");
}
