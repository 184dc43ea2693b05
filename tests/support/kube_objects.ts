/** Objects as an API server would send them. */

import { API_VERSION } from "../../src/api/names.ts";
import type { LanObject } from "../../src/kube/resources.ts";

/** A LAN "default/<name>" as it is stored. */
export function lanObject(name: string, resourceVersion = "1", spec: object = {}): LanObject {
  return {
    apiVersion: API_VERSION,
    kind: "LAN",
    metadata: {
      name,
      namespace: "default",
      uid: `uid-of-${name}`,
      resourceVersion,
      creationTimestamp: "2026-01-31T12:00:00Z",
      generation: 1,
    },
    spec,
  };
}

export function lanList(items: readonly LanObject[], metadata: object): object {
  return { apiVersion: API_VERSION, kind: "LANList", metadata, items };
}

/** One line of a watch. */
export function watchLine(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** A bookmark as a line of a watch. */
export function bookmarkLine(resourceVersion: string): string {
  return watchLine("BOOKMARK", { kind: "LAN", metadata: { resourceVersion } });
}
