/** Which folder may import what: the table of ARCHITECTURE.md, as data and as a pure check. */

/** What the files of one folder of `src` may import besides that folder and `node:` modules. */
interface Layer {
  /** Folders, or single files ("api/names.ts"), that may be imported. */
  readonly values: readonly string[];
  /** Folders of which only types may be imported. */
  readonly types?: readonly string[];
  /** Folders that may be imported only by `await import()`, to keep them out of the start-up. */
  readonly dynamic?: readonly string[];
  /** npm packages, by their name in deno.json. */
  readonly packages?: readonly string[];
}

const LAYERS: Readonly<Record<string, Layer>> = {
  base: { values: [] },
  api: { values: ["base"], packages: ["yaml", "zod"] },
  netlink: { values: ["base"] },
  plan: { values: ["base", "api"], types: ["netlink"] },
  probe: { values: ["base", "api", "plan/identity.ts"] },
  sys: { values: ["base", "netlink"] },
  kernel: { values: ["base", "plan", "netlink", "sys"], types: ["api"] },
  kube: { values: ["base", "api"], packages: ["@kubernetes/client-node", "yaml"] },
  deviceplugin: { values: ["base"], packages: ["protobufjs"] },
  agent: {
    values: ["base", "api", "plan", "probe", "kernel", "sys", "netlink", "version.ts"],
    types: ["cluster"],
    dynamic: ["cluster"],
    packages: ["zod"],
  },
  cluster: {
    values: ["base", "api", "plan", "agent", "kube", "deviceplugin", "version.ts"],
    types: ["kernel"],
    packages: ["zod"],
  },
  controller: {
    values: ["base", "api", "plan", "kube", "version.ts"],
    packages: ["@peculiar/x509", "prom-client", "reflect-metadata"],
  },
  cni: { values: ["base", "api/names.ts", "api/agent_protocol.ts"], types: ["api"] },
  cli: {
    values: ["base", "api", "plan", "version.ts"],
    types: ["agent", "controller", "kernel"],
    dynamic: ["agent", "controller", "kernel"],
    packages: ["commander", "yaml"],
  },
  "version.ts": { values: ["../deno.json"] },
  "../main.ts": { values: [], dynamic: ["cni", "cli"] },
};

/**
 * Everything that these files load before their first line runs must be npm-free and `node:`-free.
 * A container runtime waits for it at every call: importing one `node:` module adds about 18 ms
 * and 8 MB to 20 ms and 33 MB.
 */
const LIGHT_ENTRIES = ["main.ts", "src/cni/main.ts"];

/** One import as written in a file. */
export interface Import {
  readonly specifier: string;
  readonly kind: "value" | "type" | "dynamic";
}

/** An import that breaks a rule. `file` is relative to the repository. */
export interface Violation {
  readonly file: string;
  readonly specifier: string;
  readonly rule: string;
}

const STATIC_IMPORT =
  /^(?:import\s+(type\s+)?(?:[\w$*{][^"';]*?\sfrom\s+)?|export\s+(type\s+)?[*{][^"';]*?\sfrom\s+)["']([^"']+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*["']([^"']+)["']/g;

/** The imports of a formatted module; `import { type A, type B }` counts as one of types. */
export function scanImports(text: string): readonly Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(STATIC_IMPORT)) {
    const isType = (match[1] ?? match[2]) !== undefined || namesOnlyTypes(match[0]);
    found.push({ specifier: match[3] ?? "", kind: isType ? "type" : "value" });
  }
  for (const match of text.matchAll(DYNAMIC_IMPORT)) {
    found.push({ specifier: match[1] ?? "", kind: "dynamic" });
  }
  return found;
}

function namesOnlyTypes(statement: string): boolean {
  const names = /^import\s+\{([^}]*)\}\s+from\b/.exec(statement)?.[1] ?? "";
  const words = names.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return words.length > 0 && words.every((name) => name.startsWith("type "));
}

/**
 * All broken rules in `files`, the text of `main.ts` and of `src/**`, by path from the repository.
 * Test files may import anything and are left out.
 */
export function layerViolations(files: ReadonlyMap<string, string>): readonly Violation[] {
  const imports = new Map<string, readonly Import[]>();
  for (const [file, text] of files) {
    if (!file.endsWith("_test.ts")) imports.set(file, scanImports(text));
  }
  const violations: Violation[] = [];
  for (const [file, list] of imports) {
    for (const { specifier, kind } of list) {
      const rule = brokenRule(file, specifier, kind);
      if (rule !== undefined) violations.push({ file, specifier, rule });
    }
  }
  for (const entry of LIGHT_ENTRIES) violations.push(...heavyImports(entry, imports));
  return violations;
}

function brokenRule(file: string, specifier: string, kind: Import["kind"]): string | undefined {
  const own = layerOf(file);
  const layer = LAYERS[own];
  if (layer === undefined) return `folder "${own}" has no row in scripts/layers.ts`;
  if (specifier.startsWith("node:")) return undefined;
  if (!specifier.startsWith(".")) {
    // Of a package in CommonJS the bundler makes a module that has a default export and no names.
    if (kind === "dynamic") {
      return "a module of ours imports a package, and is imported dynamically";
    }
    if (layer.packages?.includes(specifier)) return undefined;
    return `"${own}" may import these packages: ${list(layer.packages)}`;
  }
  const target = resolve(file, specifier);
  if (layerOf(target) === own) return undefined;
  const allowed = [...layer.values];
  if (kind === "type") allowed.push(...layer.types ?? []);
  if (kind === "dynamic") allowed.push(...layer.dynamic ?? []);
  if (allowed.some((name) => isWithin(target, name))) return undefined;
  const how = kind === "value" ? "" : kind === "type" ? " as types" : " dynamically";
  return `"${own}" may import${how}: ${list(allowed)}`;
}

/** Imports of packages and `node:` modules in what `entry` loads statically. */
function heavyImports(
  entry: string,
  imports: ReadonlyMap<string, readonly Import[]>,
): readonly Violation[] {
  const violations: Violation[] = [];
  const seen = new Set<string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { specifier, kind } of imports.get(file) ?? []) {
      if (kind !== "value") continue;
      if (specifier.startsWith(".")) open.push(resolve(file, specifier));
      else violations.push({ file, specifier, rule: `"${entry}" must start without it` });
    }
  }
  return violations;
}

/** The folder of `src` that a file belongs to; the path from `src` for files in no such folder. */
function layerOf(file: string): string {
  if (!file.startsWith("src/")) return `../${file}`;
  return file.slice("src/".length).replace(/\/.*/, "");
}

function isWithin(file: string, name: string): boolean {
  const path = resolve("src/x", `./${name}`);
  return file === path || file.startsWith(`${path}/`);
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function list(names: readonly string[] | undefined): string {
  return names === undefined || names.length === 0 ? "none" : names.join(", ");
}
