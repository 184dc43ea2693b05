/** `status` of a LAN, written by the controller alone: schema for the CRD, type for the writer. */

import { z } from "zod";

/** As `metav1.Condition`, so that `kubectl wait --for=condition=Ready` works. */
const conditionSchema = z.object({
  type: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(64),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(128).meta({
    description: "One word in CamelCase",
  }),
  message: z.string().max(8192).meta({ description: "A sentence a person can act on" }),
  lastTransitionTime: z.string().max(64).meta({ format: "date-time" }),
  observedGeneration: z.int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional(),
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
}).meta({ description: "What the controller and the nodes' agents made of it" });

export type LanCondition = Readonly<z.output<typeof conditionSchema>>;
export type LanStatus = Readonly<z.output<typeof lanStatusSchema>>;
