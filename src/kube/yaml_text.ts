/** YAML, in a module of its own that is loaded only where there is some. */

import { parse } from "yaml";

/** The value that `text` stands for. Throws for what is no YAML. */
export function parseYaml(text: string): unknown {
  return parse(text);
}
