/** The LAN object: one schema gives its types, its validation and its CustomResourceDefinition. */

import { z } from "zod";
import type { DeepReadonly } from "../base/deep_readonly.ts";
import { hashHex } from "../base/hash.ts";
import { type Issue, issuesOf } from "./issues.ts";
import { DEVICE_MAP_MAX, label, lanSpecSchema, NODE_NAME_EXPECTED, text } from "./lan_spec.ts";
import { API_VERSION } from "./names.ts";

/** Longest LAN name: `<lan>-any` is the name of a NetworkAttachmentDefinition. */
export const LAN_NAME_MAX = 59;

/**
 * Creation time of a LAN that says none, as files do: younger than all others, so that it takes
 * nothing away from a LAN that is known to exist.
 */
export const NO_CREATION_TIME = "9999-12-31T23:59:59Z";

/** `metadata.name`, for the schema below and for the CRD. */
export const lanNameSchema = text(
  /^[a-z0-9]([a-z0-9-]{0,57}[a-z0-9])?$/,
  LAN_NAME_MAX,
  `must be 1 to ${LAN_NAME_MAX} lower-case letters, digits or "-", with a letter or digit first ` +
    `and last ("<name>-any" names a network attachment definition)`,
);

const time = z.iso.datetime({ offset: true, error: "must be a time like 2026-01-31T12:00:00Z" });
/** Written by the API server and not read here. */
const unread = z.unknown().optional();

const metadataSchema = z.strictObject({
  name: lanNameSchema,
  namespace: label.default("default"),
  // Becomes part of the mark on each link, so nothing that could end or forge a mark.
  uid: text(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    128,
    'must be 1 to 128 letters, digits, ".", "_" or "-"',
  ).exactOptional(),
  creationTimestamp: time.nullable().exactOptional(),
  deletionTimestamp: time.nullable().exactOptional(),
  generation: z.int().min(0).exactOptional(),
  annotations: unread,
  deletionGracePeriodSeconds: unread,
  finalizers: unread,
  generateName: unread,
  labels: unread,
  managedFields: unread,
  ownerReferences: unread,
  resourceVersion: unread,
  selfLink: unread,
}).transform(({ name, namespace, uid, creationTimestamp, deletionTimestamp, generation }) => ({
  name,
  namespace,
  uid,
  creationTimestamp: creationTimestamp ?? NO_CREATION_TIME,
  ...(deletionTimestamp === undefined || deletionTimestamp === null ? {} : { deletionTimestamp }),
  ...(generation === undefined ? {} : { generation }),
}));

const lanSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("LAN"),
  metadata: metadataSchema,
  spec: lanSpecSchema,
  status: unread,
}).transform(({ apiVersion, kind, metadata, spec }) => ({
  apiVersion,
  kind,
  metadata: { ...metadata, uid: metadata.uid ?? fileUid(metadata, spec) },
  spec,
}));

/**
 * UID of a LAN that has none, as in files. What may not change in a LAN is part of it: a file in
 * which that is edited means another LAN, as it would where a server refuses the edit and makes one
 * delete the LAN and create it anew.
 */
function fileUid(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { ns, bridge, vxlan, vni, vxlanGrp, vxlanPort, underlay }: z.output<typeof lanSpecSchema>,
): string {
  const fixed = [ns, bridge, vxlan, vni, vxlanGrp, vxlanPort, underlay].join("/");
  // Neither label has a dot, so no two names get one UID.
  return `file.${namespace}.${name}.${hashHex(fixed, 8)}`;
}

/** A LAN as the program works with it: valid, defaults applied. */
export type Lan = DeepReadonly<z.output<typeof lanSchema>>;
export type LanSpec = Lan["spec"];
/** A LAN as a person or the API server writes it. */
export type LanInput = DeepReadonly<z.input<typeof lanSchema>>;

export type LanValidation = { readonly lan: Lan } | { readonly issues: readonly Issue[] };

/** The LAN in `value`, or everything that is wrong with it. Never throws. */
export function validateLan(value: unknown): LanValidation {
  const oversize = deviceMapIssues(value);
  if (oversize.length > 0) return { issues: oversize };
  const result = lanSchema.safeParse(value);
  return result.success ? { lan: result.data } : { issues: issuesOf(result.error, value) };
}

/** What zod's records let pass: their size, and the one key that is no key to JavaScript. */
function deviceMapIssues(value: unknown): Issue[] {
  const map = field(field(value, "spec"), "vxlanDevMap");
  if (typeof map !== "object" || map === null || Array.isArray(map)) return [];
  const path = "spec.vxlanDevMap";
  const size = Object.keys(map).length;
  if (size > DEVICE_MAP_MAX) {
    return [{ path, message: `must have at most ${DEVICE_MAP_MAX} entries, found ${size}` }];
  }
  if (Object.hasOwn(map, "__proto__")) {
    return [{ path: `${path}.__proto__`, message: NODE_NAME_EXPECTED }];
  }
  return [];
}

function field(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}
