import { deepStrictEqual, ok } from "node:assert/strict";
import { lanCrd } from "./crd.ts";

type Schema = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(root: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    root,
  );
}

const root = at(lanCrd(), "spec", "versions", 0, "schema", "openAPIV3Schema");

/** Each schema of the tree, with its path. */
function* schemas(schema: unknown, path = ""): Generator<readonly [string, Schema]> {
  if (!isObject(schema)) return;
  yield [path, schema];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    yield* schemas(child, `${path}.${name}`);
  }
  yield* schemas(schema.items, `${path}[]`);
  yield* schemas(schema.additionalProperties, `${path}{}`);
}

const specSchemas = [...schemas(at(root, "properties", "spec"), "spec")];

/** All that apiextensions.k8s.io/v1 takes of what a generator might write. */
const KEYWORDS = new Set([
  "type",
  "description",
  "format",
  "default",
  "enum",
  "pattern",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "maxProperties",
  "properties",
  "required",
  "items",
  "additionalProperties",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-validations",
]);

Deno.test("lanCrd() is structural: one type each, no keyword the API server does not know", () => {
  for (const [path, schema] of schemas(root)) {
    ok(typeof schema.type === "string", path);
    for (const key of Object.keys(schema)) ok(KEYWORDS.has(key), `${path}: ${key}`);
    ok(!("properties" in schema && "additionalProperties" in schema), path);
  }
});

Deno.test("lanCrd() bounds everything of which there may be much", () => {
  for (const [path, schema] of schemas(root)) {
    if (path === ".apiVersion" || path === ".kind") continue;
    if (schema.type === "string") ok("maxLength" in schema || "enum" in schema, path);
    if (schema.type === "array") ok("maxItems" in schema, path);
    if (schema.type === "integer") ok("minimum" in schema && "maximum" in schema, path);
    if ("additionalProperties" in schema) ok("maxProperties" in schema, path);
  }
});

Deno.test("lanCrd() makes the identity of a LAN immutable, and nothing else", () => {
  const immutable = specSchemas.filter(([, schema]) =>
    Array.isArray(schema["x-kubernetes-validations"]) &&
    schema["x-kubernetes-validations"].some(({ rule }) => rule === "self == oldSelf")
  );
  deepStrictEqual(immutable.map(([path]) => path).sort(), [
    "spec.bridge",
    "spec.ns",
    "spec.underlay",
    "spec.vni",
    "spec.vxlan",
    "spec.vxlanGrp",
    "spec.vxlanPort",
  ]);
});

Deno.test("lanCrd() requires what has neither default nor use without", () => {
  deepStrictEqual(at(root, "properties", "spec", "required"), [
    "ns",
    "bridge",
    "vxlan",
    "vni",
    "spokes",
  ]);
});

Deno.test("lanCrd() keeps the columns of the contract, in their order", () => {
  const columns = at(lanCrd(), "spec", "versions", 0, "additionalPrinterColumns");
  ok(Array.isArray(columns));
  deepStrictEqual(
    columns.filter((column) => !("priority" in column)).map(({ name }) => name.toUpperCase()),
    ["VNI", "SPOKES", "ATTACHED", "NODES", "READY", "CONNECTED", "AGE"],
  );
});

Deno.test("lanCrd() has only messages that the API server takes: one line, at most 2048", () => {
  for (const [path, schema] of schemas(root)) {
    const rules = schema["x-kubernetes-validations"] ?? [];
    ok(Array.isArray(rules));
    for (const { message } of rules) ok(/^[^\n]{1,2048}$/.test(message), path);
  }
});
