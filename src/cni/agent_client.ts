/** One question to the agent: one JSON line each way over its unix socket. */

import { type AgentRequest, CniCode } from "../api/agent_protocol.ts";
import { AGENT_SOCKET_ENV, MAX_MESSAGE_BYTES } from "../api/names.ts";
import { exchangeLine, NoAnswer } from "../base/line_exchange.ts";
import { CniError } from "./cni_error.ts";
import { field, isObject } from "./json.ts";

/** No answer from the agent, as opposed to one that refuses. */
export class AgentAway extends CniError {
  /** The request went out, so that the agent may have carried it out. */
  readonly sent: boolean;

  constructor(code: number, message: string, sent: boolean) {
    super(code, message);
    this.name = "AgentAway";
    this.sent = sent;
  }
}

/**
 * Sends `request` and returns the answer's `result`. Throws the agent's own refusal as `CniError`,
 * and `AgentAway` if there is no usable answer within `deadlineMs` milliseconds.
 */
export async function askAgent(
  socket: string,
  request: AgentRequest,
  deadlineMs: number,
): Promise<unknown> {
  const line = JSON.stringify(request);
  if (new TextEncoder().encode(line).length >= MAX_MESSAGE_BYTES) {
    throw new CniError(
      CniCode.InvalidConfig,
      `Network configuration and CNI_ARGS together are larger than ${MAX_MESSAGE_BYTES} bytes`,
    );
  }
  const limits = { deadlineMs, maxLength: MAX_MESSAGE_BYTES };
  try {
    return readAnswer(socket, await exchangeLine(socket, line, limits));
  } catch (error) {
    throw error instanceof NoAnswer ? agentAway(socket, error) : error;
  }
}

function agentAway(socket: string, { message, sent, cause }: NoAnswer): AgentAway {
  if (sent) {
    return new AgentAway(
      CniCode.TryAgainLater,
      `k8slan agent at "${socket}" went away: ${message}; look at its log and try again`,
      sent,
    );
  }
  const forbidden = cause instanceof Deno.errors.PermissionDenied;
  const advice = forbidden
    ? "the plugin has to run as root"
    : `start it on this node, or set ${AGENT_SOCKET_ENV} if its socket is elsewhere`;
  return new AgentAway(
    forbidden ? CniCode.Io : CniCode.TryAgainLater,
    `k8slan agent does not answer at "${socket}": ${message}; ${advice}`,
    sent,
  );
}

function readAnswer(socket: string, line: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(line);
  } catch {
    // not JSON: falls through to the complaint below
  }
  if (isObject(answer)) {
    if (answer["ok"] === true) return field(answer, "result");
    const failure = field(answer, "error");
    if (answer["ok"] === false && isObject(failure)) {
      const { code, msg, details } = failure;
      if (typeof code === "number" && Number.isInteger(code) && typeof msg === "string") {
        throw new CniError(code, msg, typeof details === "string" ? { details } : {});
      }
    }
  }
  throw new AgentAway(
    CniCode.Internal,
    `k8slan agent at "${socket}" answered with something the plugin does not understand: ` +
      "install the same version of both",
    true,
  );
}
