/** The objects that a page of the documentation shows, for tests that they are true. */

import { parseAllDocuments } from "yaml";
import { isRecord } from "../../src/kube/resource.ts";
import type { RawObject } from "./raw_kube.ts";

/**
 * All objects in the YAML blocks of a page, such as `docs/pods.md`, in their order, in namespace
 * "default" unless they name another. Blocks that show a part of an object are left out.
 */
export async function docObjects(page: string): Promise<readonly RawObject[]> {
  const text = await Deno.readTextFile(new URL(`../../${page}`, import.meta.url));
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = ""]) => yaml);
  const whole = blocks.filter((block) => /^apiVersion:/m.test(block));
  return whole.flatMap((block) => parseAllDocuments(block)).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object: unknown = document.toJS();
    if (!isRecord(object) || !isRecord(object["metadata"])) {
      throw new Error(`${page} has a YAML block that is no object:\n${document}`);
    }
    return { ...object, metadata: { namespace: "default", ...object["metadata"] } };
  });
}
