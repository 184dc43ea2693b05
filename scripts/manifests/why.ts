/** Reasons beside the fields of a manifest, which become comments in the YAML. */

/** By object, and in it by field; the field of the whole object is `WHOLE`. */
const REASONS = new WeakMap<object, ReadonlyMap<string, string>>();
const WHOLE = "";

/** `object` itself, of which `reasons` say why a field is as it is. */
export function why<T extends object>(
  reasons: { readonly [Field in keyof T]?: string },
  object: T,
): T {
  for (const field of Object.keys(reasons)) {
    if (!Object.hasOwn(object, field)) {
      throw new Error(`A reason for "${field}", which is not there`);
    }
  }
  REASONS.set(object, new Map([...reasonsOf(object), ...Object.entries<string>(textsOf(reasons))]));
  return object;
}

/** `object` itself, in front of which `reason` stands. */
export function about<T extends object>(reason: string, object: T): T {
  REASONS.set(object, new Map([...reasonsOf(object), [WHOLE, reason]]));
  return object;
}

/** Why `field` of `object` is as it is. */
export function reasonFor(object: object, field: string): string | undefined {
  return reasonsOf(object).get(field);
}

/** What stands in front of `object`. */
export function reasonOf(object: object): string | undefined {
  return reasonsOf(object).get(WHOLE);
}

function reasonsOf(object: object): ReadonlyMap<string, string> {
  return REASONS.get(object) ?? new Map();
}

function textsOf(reasons: object): Record<string, string> {
  return { ...reasons };
}
