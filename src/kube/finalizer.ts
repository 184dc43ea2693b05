/** Holding an object back from deletion until what belongs to it is cleaned up. */

import type { CallOptions, JsonPatchStep, KubeApi } from "./kube_api.ts";
import { isNotFound } from "./kube_error.ts";
import { keyOf, type KubeObject } from "./objects.ts";
import type { ReconcileResult } from "./reconcile.ts";
import type { Resource } from "./resource.ts";

export interface FinalizedWork<T> {
  /** Makes what is wanted; never runs before the finalizer is stored. */
  apply(object: T): Promise<ReconcileResult | void>;
  /**
   * Cleans up after a deleted object; runs until it says "done", which must be said again of what is
   * clean already. The finalizer is taken away then.
   */
  cleanup(object: T): Promise<"done" | ReconcileResult>;
}

/**
 * Does what is due for `object`, which may be an old state of it. Four cases:
 *
 * | finalizer | being deleted | what happens |
 * |---|---|---|
 * | no | no | it is stored; the change calls the reconciler again |
 * | yes | no | `apply()` |
 * | yes | yes | `cleanup()`, and when done the finalizer goes |
 * | no | yes | nothing: it isn't ours to hold |
 *
 * Finalizers of others are left alone: the patch fails (422 Invalid) when the list has changed
 * meanwhile, and with it the reconciliation, which is then tried again.
 */
export async function reconcileWithFinalizer<T extends KubeObject>(
  api: KubeApi,
  resource: Resource<T>,
  object: T,
  finalizer: string,
  work: FinalizedWork<T>,
  options: CallOptions = {},
): Promise<ReconcileResult | void> {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  const place = finalizers.indexOf(finalizer);
  if (deletionTimestamp === undefined) {
    if (place >= 0) return await work.apply(object);
    await patch(api, resource, object, additionOf(finalizers, finalizer), options);
    return;
  }
  if (place < 0) return;
  const outcome = await work.cleanup(object);
  if (outcome !== "done") return outcome;
  try {
    await patch(api, resource, object, removalOf(place, finalizer), options);
  } catch (error) {
    if (!isNotFound(error)) throw error; // gone already
  }
}

async function patch<T extends KubeObject>(
  api: KubeApi,
  resource: Resource<T>,
  object: T,
  steps: readonly JsonPatchStep[],
  options: CallOptions,
): Promise<void> {
  // Not another object of this name, made since.
  const same: JsonPatchStep = { op: "test", path: "/metadata/uid", value: object.metadata.uid };
  await api.patch(resource, keyOf(object), { type: "json", steps: [same, ...steps] }, options);
}

function additionOf(finalizers: readonly string[], finalizer: string): readonly JsonPatchStep[] {
  const path = "/metadata/finalizers";
  if (finalizers.length === 0) {
    return [
      { op: "test", path, value: null },
      { op: "add", path, value: [finalizer] },
    ];
  }
  return [
    { op: "test", path, value: finalizers },
    { op: "add", path: `${path}/-`, value: finalizer },
  ];
}

function removalOf(place: number, finalizer: string): readonly JsonPatchStep[] {
  const path = `/metadata/finalizers/${place}`;
  return [{ op: "test", path, value: finalizer }, { op: "remove", path }];
}
