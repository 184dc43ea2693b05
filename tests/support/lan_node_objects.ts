/** LANNode objects as agents write them. */

import type { AttachmentOnNode } from "../../src/api/lan_node.ts";
import { API_VERSION } from "../../src/api/names.ts";
import type { LanNodeObject } from "../../src/kube/resources.ts";

/** The object of the node of that name, with these attachments; one that has said nothing yet without. */
export function lanNodeObject(
  name: string,
  attachments?: readonly AttachmentOnNode[],
): LanNodeObject {
  return {
    apiVersion: API_VERSION,
    kind: "LANNode",
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-31T12:00:00Z",
    },
    ...(attachments === undefined
      ? {}
      : { status: { version: "0.1.0", attached: attachments.length, attachments } }),
  };
}

/** An attachment of pod "lab/<pod>", or of none, to a spoke of a LAN, or to none. */
export function attachmentOnNode(
  lanUid: string,
  spoke: string | undefined,
  pod: string | undefined = undefined,
): AttachmentOnNode {
  return {
    lanUid,
    ...(spoke === undefined ? {} : { spoke }),
    attach: spoke === undefined ? "veth" : "macvtap",
    ifname: "net1",
    containerID: `container-of-${pod ?? "nobody"}`,
    ...(pod === undefined ? {} : { pod: { namespace: "lab", name: pod, uid: `uid-of-${pod}` } }),
  };
}
