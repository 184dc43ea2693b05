/** Who may attach what, where more than this node has a say. */

import type { AttachKind } from "../api/agent_protocol.ts";
import type { Lan } from "../api/lan.ts";

/** An attachment that a runtime asks for, of a LAN and spoke that exist and are offered to it. */
export interface AttachAsk {
  readonly lan: Lan;
  /** None: a veth on a port without a name. */
  readonly spoke?: string;
  readonly attach: AttachKind;
  /** None: asked for by hand, by root of this node. */
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid?: string };
  /** The device that the runtime says the pod holds. */
  readonly deviceId?: string;
}

export interface AttachGate {
  /**
   * Throws `K8slanError` for what must not be attached. Asked before anything of it is made, while
   * other attachments of the LAN go on: it may ask others, and should give up in time.
   */
  admit(ask: AttachAsk): Promise<void>;
}
