/** What is wrong with an object somebody wrote: plain data, one entry a fault, each with its path. */

import type { z } from "zod";

export interface Issue {
  /** As in `spec.spokes[3]`; empty for the whole object. */
  readonly path: string;
  /** What was expected and what was found, as a clause that follows the path. */
  readonly message: string;
}

type Path = readonly PropertyKey[];

/** Unknown keys reported for one object: enough for every honest mistake, cheap for the others. */
const UNKNOWN_KEYS_MAX = 20;
const QUOTE_MAX = 64;
const PRINTABLE_MAX = 400;

/** Every fault zod found in `value`, one a path, said in our words. */
export function issuesOf(error: z.ZodError, value: unknown): Issue[] {
  const byPath = new Map<string, Issue>();
  for (const found of error.issues) {
    for (const issue of explain(found, value)) {
      if (!byPath.has(issue.path)) byPath.set(issue.path, issue);
    }
  }
  return [...byPath.values()];
}

function explain(issue: z.core.$ZodIssue, root: unknown): Issue[] {
  const path = formatPath(issue.path);
  const value = valueAt(root, issue.path);
  const fault = (message: string): Issue[] => [{ path, message }];
  const found = (expected: string): Issue[] => fault(`${expected}, found ${quote(value)}`);
  if (issue.code === "unrecognized_keys") return unknownKeys(issue.path, issue.keys);
  if (value === undefined) return fault("is required");
  switch (issue.code) {
    case "invalid_type":
      return found(`must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`);
    case "invalid_value":
      return found(`must be ${issue.values.map((one) => quote(one)).join(" or ")}`);
    case "invalid_key":
      return fault(issue.issues[0]?.message ?? issue.message);
    case "too_big":
      if (Array.isArray(value)) {
        return fault(`must have at most ${issue.maximum} entries, found ${value.length}`);
      }
      return found(typeof value === "number" ? `must be at most ${issue.maximum}` : issue.message);
    case "too_small":
      if (Array.isArray(value)) {
        return fault(`must have at least ${issue.minimum} entries, found ${value.length}`);
      }
      return found(typeof value === "number" ? `must be at least ${issue.minimum}` : issue.message);
    default:
      return typeof value === "object" ? fault(issue.message) : found(issue.message);
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  object: "an object",
  record: "an object",
  array: "a list",
};

function unknownKeys(parent: Path, keys: readonly string[]): Issue[] {
  const issues = keys.slice(0, UNKNOWN_KEYS_MAX).map((key) => ({
    path: formatPath([...parent, key]),
    message: "is not a known field",
  }));
  if (keys.length > issues.length) {
    const rest = keys.length - issues.length;
    issues.push({ path: formatPath(parent), message: `has ${rest} more unknown fields` });
  }
  return issues;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** A path as people write it: `spec.spokes[3]`, `spec.vxlanDevMap["node-1.example"]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>(joinPath, "");
}

/** `parent` and one step further. */
export function joinPath(parent: string, key: PropertyKey): string {
  if (typeof key === "number") return `${parent}[${key}]`;
  const name = String(key);
  if (!/^[A-Za-z_]\w{0,62}$/.test(name)) return `${parent}[${quote(name)}]`;
  return parent === "" ? name : `${parent}.${name}`;
}

/** `value` for a message: short, on one line, harmless on a terminal. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return printable(String(value));
  const short = value.length > QUOTE_MAX ? `${value.slice(0, QUOTE_MAX)}…` : value;
  return printable(JSON.stringify(short));
}

/** `text` with all but printable ASCII escaped: the rest may steer a terminal or look like something else. */
export function printable(text: string): string {
  const short = text.length > PRINTABLE_MAX ? `${text.slice(0, PRINTABLE_MAX)}…` : text;
  return short.replaceAll(
    /[^\x20-\x7e…]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The issues as one line for an error message; the first ten, then how many more. */
export function describeIssues(issues: readonly Issue[]): string {
  const shown = issues.slice(0, 10).map(({ path, message }) =>
    path === "" ? message : `${path} ${message}`
  );
  const rest = issues.length - shown.length;
  return rest > 0 ? `${shown.join("; ")}; and ${rest} more` : shown.join("; ");
}
