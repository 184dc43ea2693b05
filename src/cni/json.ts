/** Reading JSON that others wrote: own properties only, and never deeper than a person would write. */

export type JsonObject = { readonly [key: string]: unknown };

/** Deepest nesting taken. Real configurations, `prevResult` included, stay below ten. */
export const MAX_DEPTH = 64;

/**
 * `JSON.parse` that also refuses deep nesting, which would overflow the stack of whoever walks or
 * prints the value later. Throws `SyntaxError`.
 */
export function parseJson(text: string): unknown {
  if (deeperThan(text, MAX_DEPTH)) {
    throw new SyntaxError(`JSON is nested deeper than ${MAX_DEPTH} levels`);
  }
  return JSON.parse(text);
}

function deeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === "\\") at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{" || char === "[") {
      if (++depth > limit) return true;
    } else if (char === "}" || char === "]") depth--;
  }
  return false;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own property; `null` counts as absent, as it does for the plugins written in Go. */
export function field(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] ?? undefined : undefined;
}
