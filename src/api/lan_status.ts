/** `status` of a LAN, written by the controller alone: schema for the CRD, type for the writer. */

import { z } from "zod";
import type { DeepReadonly } from "../base/deep_readonly.ts";

/** Longest message of a condition. Characters. */
export const MESSAGE_MAX = 8192;

/** As `metav1.Condition`, so that `kubectl wait --for=condition=Ready` works. */
const conditionSchema = z.object({
  type: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(64),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(128).meta({
    description: "One word in CamelCase",
  }),
  message: z.string().max(MESSAGE_MAX).meta({ description: "A sentence a person can act on" }),
  lastTransitionTime: z.string().max(64).meta({ format: "date-time" }),
  observedGeneration: z.int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional(),
});

/** Most hand-overs of VMs that a LAN's status tells of at once. */
export const LAN_MIGRATIONS_MAX = 256;

const name = z.string().min(1).max(253);
const uid = z.string().min(1).max(128);

/** A spoke that two pods of one VM may hold, on two nodes, while the VM migrates. */
export const migrationSchema = z.object({
  spoke: z.string().min(1).max(63),
  from: z.object({ node: name, namespace: name, name, uid }).meta({
    description: "The pod that the VM runs in, and its node",
  }),
  to: z.object({ node: name.exactOptional(), namespace: name, name, uid }).meta({
    description: "The pod that the VM moves to; its node as soon as it has one",
  }),
});

const count = z.int().min(0).max(1_000_000).exactOptional();

export const lanStatusSchema = z.object({
  observedGeneration: z.int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional().meta({
    description: "Generation of the spec that this status speaks of",
  }),
  conditions: z.array(conditionSchema).max(32).exactOptional().meta({
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  }),
  spokes: count.meta({ description: "Number of spokes in the spec" }),
  attached: count.meta({ description: "Number of workloads attached, over all nodes" }),
  nodes: count.meta({ description: "Number of nodes on which the LAN exists now" }),
  migrations: z.array(migrationSchema).max(LAN_MIGRATIONS_MAX).exactOptional().meta({
    description: "Spokes of VMs that are moving to another node: their next pod may have them too",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["spoke"],
  }),
}).meta({ description: "What the controller and the nodes' agents made of it" });

export type LanCondition = Readonly<z.output<typeof conditionSchema>>;
export type Migration = DeepReadonly<z.output<typeof migrationSchema>>;
export type LanStatus = DeepReadonly<z.output<typeof lanStatusSchema>>;
