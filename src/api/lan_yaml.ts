/** LAN files: YAML of one or more documents, each a LAN or a list of them as `kubectl get -o yaml` prints. */

import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  parseAllDocuments,
  visit,
} from "yaml";
import { type Issue, joinPath, printable, quote } from "./issues.ts";
import { type Lan, validateLan } from "./lan.ts";
import { API_VERSION, MAX_MESSAGE_BYTES } from "./names.ts";

/** Where in a file something stands; documents, items and lines count from 1. */
export interface LanPlace {
  readonly source: string;
  readonly document: number;
  /** Entry of a `kind: List`. */
  readonly item?: number;
  readonly line?: number;
}

export interface LanFileIssue extends LanPlace, Issue {}

/** One LAN of a file, or all that is wrong where one should be. */
export type LanFileEntry =
  | { readonly kind: "lan"; readonly place: LanPlace; readonly lan: Lan }
  | { readonly kind: "bad"; readonly place: LanPlace; readonly issues: readonly LanFileIssue[] };

/** Aliases that one document may resolve to; more is a bomb. */
const ALIASES_MAX = 100;
/** Documents in a file, entries in a list. */
const ENTRIES_MAX = 1000;
/** What the parser may be given: it takes about a second for so many, and far longer for a hostile MiB. */
const TOKENS_MAX = 200_000;
/** Faults of syntax reported for one document; after the first few they follow from each other. */
const SYNTAX_ISSUES_MAX = 5;

/** What stands in `text`, one entry a LAN, in its order; empty documents are skipped. Never throws. */
export function parseLans(text: string, source: string): LanFileEntry[] {
  const whole: LanPlace = { source, document: 1 };
  try {
    const oversize = tooLarge(text);
    if (oversize !== undefined) return [bad(whole, [{ ...whole, path: "", message: oversize }])];
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      // The API server's own reader of YAML knows `<<` too.
      merge: true,
      // The library compares each key with each other; `findings` does it in one pass.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
    if (!Array.isArray(documents)) return [];
    if (documents.length > ENTRIES_MAX) {
      const message = `has ${documents.length} documents, at most ${ENTRIES_MAX} are read`;
      return [bad(whole, [{ ...whole, path: "", message }])];
    }
    return documents.flatMap((document, at) =>
      documentEntries(document, { source, document: at + 1 }, lines)
    );
  } catch (error) {
    return [
      bad(whole, [{ ...whole, path: "", message: `cannot be read as YAML: ${said(error)}` }]),
    ];
  }
}

function tooLarge(text: string): string | undefined {
  // UTF-8 never takes fewer bytes than UTF-16 has units, and at most three times as many.
  if (
    text.length > MAX_MESSAGE_BYTES ||
    (text.length * 3 > MAX_MESSAGE_BYTES &&
      new TextEncoder().encode(text).length > MAX_MESSAGE_BYTES)
  ) {
    return `is larger than ${MAX_MESSAGE_BYTES} bytes; spread it over several files`;
  }
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    if (++tokens > TOKENS_MAX) {
      return `has more than ${TOKENS_MAX} YAML tokens; spread it over several files`;
    }
  }
  return undefined;
}

function documentEntries(
  document: Document,
  place: LanPlace,
  lines: LineCounter,
): LanFileEntry[] {
  const faults = syntaxFaults(document, place, lines);
  if (faults.length > 0) return [bad(place, faults)];
  const value = plainValue(document);
  if ("message" in value) return [bad(place, [{ ...place, path: "", message: value.message }])];
  const root = value.root;
  if (root === null || root === undefined) return [];
  const lineOf = lineIndex(document, lines);
  const items = listItems(root);
  if (items === undefined) return [lanEntry(root, place, "", lineOf)];
  if (items.length > ENTRIES_MAX) {
    const message = `has ${items.length} entries, at most ${ENTRIES_MAX} are read`;
    return [bad(place, [{ ...place, path: "items", message }])];
  }
  return items.map((item, at) =>
    lanEntry(item, { ...place, item: at + 1 }, `items[${at}]`, lineOf)
  );
}

function said(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}

function plainValue(document: Document): { root: unknown } | { message: string } {
  try {
    return { root: document.toJS({ maxAliasCount: ALIASES_MAX }) };
  } catch (error) {
    // An unknown alias, or one that resolves to too much.
    return { message: `cannot be read as YAML: ${said(error)}` };
  }
}

function lanEntry(
  value: unknown,
  within: LanPlace,
  prefix: string,
  lineOf: (path: string) => number | undefined,
): LanFileEntry {
  const at = (path: string): LanPlace => {
    const line = lineOf(
      path.startsWith("[") || prefix === "" ? prefix + path : `${prefix}.${path}`,
    );
    return line === undefined ? within : { ...within, line };
  };
  const result = validateLan(value);
  if ("lan" in result) return { kind: "lan", place: at(""), lan: result.lan };
  // Of an object of another kind nothing else is worth saying.
  const wrongKind = result.issues.filter(({ path }) => path === "apiVersion" || path === "kind");
  const issues = wrongKind.length > 0 ? wrongKind : result.issues;
  return bad(at(""), issues.map((issue) => ({ ...at(issue.path), ...issue })));
}

function bad(place: LanPlace, issues: readonly LanFileIssue[]): LanFileEntry {
  return { kind: "bad", place, issues };
}

/** The entries of what `kubectl get -o yaml` prints for several objects, or the API server's own list. */
function listItems(root: unknown): readonly unknown[] | undefined {
  if (typeof root !== "object" || root === null) return undefined;
  if (!("kind" in root && "apiVersion" in root && "items" in root)) return undefined;
  const isList = (root.kind === "List" && root.apiVersion === "v1") ||
    (root.kind === "LANList" && root.apiVersion === API_VERSION);
  return isList && Array.isArray(root.items) ? root.items : undefined;
}

/** One line for people: `lans/a.yaml:12: spec.vni must be at least 1, found 0`. */
export function describeFileIssue(issue: LanFileIssue): string {
  const { source, document, item, line, path, message } = issue;
  const place = line === undefined ? `${source}: document ${document}` : `${source}:${line}`;
  const entry = item === undefined ? "" : `item ${item}: `;
  return `${place}: ${entry}${path === "" ? "" : `${path} `}${message}`;
}

/** What the parser complains about, and what it would read otherwise than people or `kubectl` do. */
function syntaxFaults(document: Document, place: LanPlace, lines: LineCounter): LanFileIssue[] {
  const faults: LanFileIssue[] = [];
  const add = (offset: number | undefined, message: string) => {
    const line = offset === undefined ? {} : { line: lines.linePos(offset).line };
    faults.push({ ...place, ...line, path: "", message });
    return faults.length < SYNTAX_ISSUES_MAX;
  };
  for (const error of document.errors) {
    if (!add(error.pos[0], `is not YAML: ${said(error)}`)) return faults;
  }
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value) && !add(key.range?.[0], `gives ${quote(key.value)} twice`)) {
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
    Scalar(_, scalar) {
      if (typeof scalar.value !== "number" || !/^[-+]?0\d/.test(scalar.source ?? "")) return;
      const message = `has ${
        quote(scalar.source)
      }, which kubectl reads as octal; leave the zero out`;
      return add(scalar.range?.[0], message) ? undefined : visit.BREAK;
    },
  });
  return faults;
}

/** The line of a path, or of what is nearest above it: a missing field has its parent's. */
function lineIndex(document: Document, lines: LineCounter): (path: string) => number | undefined {
  let offsets: Map<string, number> | undefined;
  return (path) => {
    offsets ??= offsetsOf(document);
    for (let at = path;; at = at.slice(0, Math.max(at.lastIndexOf("."), at.lastIndexOf("["), 0))) {
      const offset = offsets.get(at);
      if (offset !== undefined) return lines.linePos(offset).line;
      if (at === "") return undefined;
    }
  };
}

function offsetsOf(document: Document): Map<string, number> {
  const offsets = new Map<string, number>();
  const enter = (node: unknown, path: string, start?: number) => {
    const offset = start ?? (isNode(node) ? node.range?.[0] : undefined);
    if (offset !== undefined) offsets.set(path, offset);
    if (isSeq(node)) node.items.forEach((item, at) => enter(item, joinPath(path, at)));
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (isScalar(key)) enter(value, joinPath(path, String(key.value)), key.range?.[0]);
    }
  };
  enter(document.contents, "");
  return offsets;
}
