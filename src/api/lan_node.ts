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
export const NODE_UNREACHABLE_MAX = 16;
export const NODE_UNATTACHED_MAX = 64;

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

const unattachedSchema = z.object({
  lanUid: uid.meta({ description: "UID of the LAN" }),
  spoke: z.string().max(63),
  pod: podSchema,
});

const probeSchema = z.object({
  state: z.enum(["Off", "Probing", "Known"]).meta({
    description: "Probing: of some peers it cannot be told yet",
  }),
  peers: count.meta({ description: "Number of other nodes that the LAN is in use on" }),
  reachable: count.meta({
    description: "Those of them that frames of full size reach and come from",
  }),
  unreachable: z.array(z.object({
    node: name,
    reason: z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/).max(32).meta({
      description: "Silent, OneWay, UnicastBlocked, MtuTooSmall or AgentStopped",
    }),
    mtu: z.int().min(0).max(MTU_MAX).exactOptional().meta({
      description: "Largest frame that arrives, without its Ethernet header",
    }),
  })).max(NODE_UNREACHABLE_MAX).exactOptional().meta({
    description: "Some of the others; the counts are exact",
    "x-kubernetes-list-type": "atomic",
  }),
  lossPercent: z.int().min(0).max(100).exactOptional().meta({
    description: "Share of frames lost between this node and the worst peer, roughly and at least",
  }),
  roundTripMs: z.int().min(0).max(60_000).exactOptional().meta({
    description: "Round trip to the slowest peer, roughly and at most. Milliseconds",
  }),
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
  probe: probeSchema.exactOptional().meta({
    description: "What hello frames through the LAN say of the other nodes; older agents send none",
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
  unattached: z.array(unattachedSchema).max(NODE_UNATTACHED_MAX).exactOptional().meta({
    description: "Pods that lately got a spoke's device and are not attached to the spoke",
    "x-kubernetes-list-type": "atomic",
  }),
  problems: z.array(conditionSchema).max(NODE_PROBLEMS_MAX).exactOptional().meta({
    description: "What is wrong on this node with no LAN in particular",
    "x-kubernetes-list-type": "atomic",
  }),
}).meta({ description: "What the node's agent found and made" });

export type LanNodeStatus = DeepReadonly<z.output<typeof lanNodeStatusSchema>>;
export type LanOnNode = DeepReadonly<z.output<typeof lanOnNodeSchema>>;
export type ProbeOnNode = DeepReadonly<z.output<typeof probeSchema>>;
export type AttachmentOnNode = DeepReadonly<z.output<typeof attachmentSchema>>;
export type UnattachedOnNode = DeepReadonly<z.output<typeof unattachedSchema>>;
