/**
 * The LANNode object: what one node's agent says of its LANs. It bears the node's name, is written by
 * that agent alone, and only when something changed.
 */

import { z } from "zod";
import type { DeepReadonly } from "../base/deep_readonly.ts";
import { MTU_MAX, VERSION_MAX } from "./names.ts";

/** Most entries of the lists below; counts stay exact. Keeps the object far below etcd's 1.5 MB. */
export const NODE_LANS_MAX = 2000;
export const NODE_ATTACHMENTS_MAX = 4096;
export const NODE_CONDITIONS_MAX = 16;
export const NODE_PROBLEMS_MAX = 64;

const name = z.string().min(1).max(253);
const uid = z.string().min(1).max(128);
const count = z.int().min(0).max(1_000_000);

const conditionSchema = z.object({
  reason: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(128).meta({
    description: "One word in CamelCase",
  }),
  message: z.string().max(2048).meta({ description: "A sentence a person can act on" }),
});

const podSchema = z.object({
  namespace: name,
  name,
  uid: uid.exactOptional(),
});

const attachmentSchema = z.object({
  lanUid: uid.meta({ description: "UID of the LAN" }),
  spoke: z.string().max(63).exactOptional().meta({
    description: "The spoke that it holds; none for a veth without one",
  }),
  attach: z.enum(["macvtap", "veth"]),
  ifname: z.string().max(15).meta({ description: "Name of the interface in the workload" }),
  containerID: z.string().max(256),
  mac: z.string().max(17).exactOptional(),
  pod: podSchema.exactOptional(),
});

const lanOnNodeSchema = z.object({
  namespace: name,
  name,
  uid,
  attached: count.meta({ description: "Number of workloads attached on this node" }),
  ready: z.boolean().meta({
    description: "Whether the LAN can carry frames here, or could if something were attached",
  }),
  underlay: z.string().max(15).exactOptional(),
  mtu: z.int().min(0).max(MTU_MAX).exactOptional(),
  vtep: z.string().regex(/^[0-9a-f:]{2,39}$/).max(39).exactOptional().meta({
    description: "IPv6 address to which other nodes send the LAN's frames, where its underlay is " +
      "unicast and something is attached",
  }),
  conditions: z.array(conditionSchema).max(NODE_CONDITIONS_MAX).exactOptional(),
});

export const lanNodeStatusSchema = z.object({
  version: z.string().max(VERSION_MAX).meta({ description: "Version of the node's agent" }),
  lans: z.array(lanOnNodeSchema).max(NODE_LANS_MAX).exactOptional().meta({
    description: "LANs that something is attached to here, or that something is wrong with here",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["uid"],
  }),
  attachments: z.array(attachmentSchema).max(NODE_ATTACHMENTS_MAX).exactOptional().meta({
    description: "Workloads that are attached here",
    "x-kubernetes-list-type": "atomic",
  }),
  attached: count.meta({ description: "Number of workloads attached here" }),
  problems: z.array(conditionSchema).max(NODE_PROBLEMS_MAX).exactOptional().meta({
    description: "What is wrong on this node with no LAN in particular",
    "x-kubernetes-list-type": "atomic",
  }),
}).meta({ description: "What the node's agent found and made" });

export type LanNodeStatus = DeepReadonly<z.output<typeof lanNodeStatusSchema>>;
export type LanOnNode = DeepReadonly<z.output<typeof lanOnNodeSchema>>;
export type AttachmentOnNode = DeepReadonly<z.output<typeof attachmentSchema>>;
