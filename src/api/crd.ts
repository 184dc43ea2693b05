/** The CustomResourceDefinitions, made from the schemas. */

import { z } from "zod";
import { lanNameSchema } from "./lan.ts";
import { lanNodeStatusSchema } from "./lan_node.ts";
import { lanSpecSchema } from "./lan_spec.ts";
import { lanStatusSchema } from "./lan_status.ts";
import { GROUP, VERSION } from "./names.ts";

export type JsonObject = { readonly [key: string]: unknown };

/** `lans.lan.k8slan.io` as `kubectl apply` takes it. */
export function lanCrd(): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `lans.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: {
        kind: "LAN",
        listKind: "LANList",
        plural: "lans",
        singular: "lan",
        shortNames: ["kl"],
        categories: ["k8slan"],
      },
      versions: [{
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: PRINTER_COLUMNS,
        schema: { openAPIV3Schema: lanOpenApi() },
      }],
    },
  };
}

const PRINTER_COLUMNS: readonly JsonObject[] = [
  { name: "VNI", type: "integer", jsonPath: ".spec.vni" },
  { name: "Spokes", type: "integer", jsonPath: ".status.spokes" },
  { name: "Attached", type: "integer", jsonPath: ".status.attached" },
  { name: "Nodes", type: "integer", jsonPath: ".status.nodes" },
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  {
    name: "Connected",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Connected")].status',
  },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  { name: "Netns", type: "string", jsonPath: ".spec.ns", priority: 1 },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    priority: 1,
  },
];

/** `lannodes.lan.k8slan.io` as `kubectl apply` takes it. */
export function lanNodeCrd(): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `lannodes.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Cluster",
      names: {
        kind: "LANNode",
        listKind: "LANNodeList",
        plural: "lannodes",
        singular: "lannode",
        shortNames: ["kln"],
        categories: ["k8slan"],
      },
      versions: [{
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Attached", type: "integer", jsonPath: ".status.attached" },
          { name: "Version", type: "string", jsonPath: ".status.version" },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            description: "What one node's agent says of the LANs there; it has the node's name",
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              status: openApi(lanNodeStatusSchema),
            },
          },
        },
      }],
    },
  };
}

function lanOpenApi(): JsonObject {
  return {
    type: "object",
    description: "A private Ethernet segment across the nodes of the cluster",
    required: ["metadata", "spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object", properties: { name: openApi(lanNameSchema) } },
      spec: openApi(lanSpecSchema),
      status: openApi(lanStatusSchema),
    },
  };
}

function openApi(schema: z.ZodType): unknown {
  // "input", as an object comes without its defaults; "inline", as a CRD knows no references.
  return structural(
    z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", reused: "inline" }),
  );
}

/**
 * Leaves out what the API server refuses in a structural schema: `$schema`, and a closed list of
 * properties (it drops unknown fields by itself).
 */
function structural(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(structural);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) =>
        key !== "$schema" && key !== "~standard" &&
        !(key === "additionalProperties" && value === false)
      )
      .map(([key, value]) => [key, structural(value)]),
  );
}
