/** Permissions as a list that people can read, and two of which can be compared. */

import type { Rule } from "./roles.ts";

/** One line for each resource, and each of its names: `lans.lan.k8slan.io get list watch`. */
export function permissionLines(rules: readonly Omit<Rule, "why">[]): string[] {
  const verbs = new Map<string, Set<string>>();
  for (const rule of rules) {
    for (const line of rule.resources.flatMap((resource) => keys(rule, resource))) {
      const known = verbs.get(line) ?? new Set();
      for (const verb of rule.verbs) known.add(verb);
      verbs.set(line, known);
    }
  }
  return [...verbs].map(([key, words]) => `${key}: ${[...words].sort().join(" ")}`).sort();
}

/** As kubectl writes it: resource, group, subresource, and the name in brackets. */
function keys({ group, names }: Omit<Rule, "why">, resource: string): string[] {
  const [plural = "", subresource] = resource.split("/");
  const whole = (group === "" ? plural : `${plural}.${group}`) +
    (subresource === undefined ? "" : `/${subresource}`);
  return names === undefined ? [whole] : names.map((name) => `${whole} "${name}"`);
}
