/** Whether two values are the same JSON. */

/** Objects may have their fields in any order; a field that is undefined counts as absent. */
export function isSameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  if (one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    return Array.isArray(one) && Array.isArray(other) && one.length === other.length &&
      one.every((item, at) => isSameJson(item, other[at]));
  }
  const [fields, against] = [fieldsOf(one), fieldsOf(other)];
  if (fields.size !== against.size) return false;
  for (const [name, value] of fields) {
    if (!against.has(name) || !isSameJson(value, against.get(name))) return false;
  }
  return true;
}

function fieldsOf(object: object): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(object).filter(([, value]) => value !== undefined));
}
