/** The one error of the CNI plugin, and how it becomes the JSON that a runtime reads. */

import { type AgentFailure, CniCode } from "../api/agent_protocol.ts";
import { describe } from "../base/errors.ts";

/** A failure with a CNI error code (CNI spec, section 5 "Error"). */
export class CniError extends Error {
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: number, message: string, options: { readonly details?: string } = {}) {
    super(message);
    this.name = "CniError";
    this.code = code;
    this.details = options.details;
  }
}

/** The error object for stdout: never a stack trace, whatever was thrown. */
export function toFailure(error: unknown): AgentFailure {
  if (!(error instanceof CniError)) {
    return { code: CniCode.Internal, msg: `Unexpected failure of the plugin: ${describe(error)}` };
  }
  const { code, message: msg, details } = error;
  return details === undefined ? { code, msg } : { code, msg, details };
}
