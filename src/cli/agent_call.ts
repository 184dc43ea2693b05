/** Questions to the node's agent. */

import type { AgentRequest } from "../api/agent_protocol.ts";
import { AGENT_SOCKET_ENV, DEFAULT_AGENT_SOCKET, MAX_MESSAGE_BYTES } from "../api/names.ts";
import { K8slanError } from "../base/errors.ts";
import { exchangeLine, NoAnswer } from "../base/line_exchange.ts";
import type { CliHost } from "./host.ts";

/** The agent needs milliseconds; a person waits no longer than this for one that hangs. */
const DEADLINE_MS = 10_000;

/** The agent's socket: the option, else the environment, else the default. */
export function agentSocket(option: string | undefined, host: CliHost): string {
  return option ?? (host.env(AGENT_SOCKET_ENV) || DEFAULT_AGENT_SOCKET);
}

/**
 * The agent's answer to `request`. Throws `K8slanError` "AgentUnreachable" if there is none, and
 * "AgentRefused" with the agent's own words if it says no.
 */
export async function askAgent(
  socket: string,
  request: AgentRequest,
  deadlineMs = DEADLINE_MS,
): Promise<unknown> {
  // A view of a full node is far longer than any message the agent would take itself.
  const limits = { deadlineMs, maxLength: 64 * MAX_MESSAGE_BYTES };
  try {
    return readAnswer(socket, await exchangeLine(socket, JSON.stringify(request), limits));
  } catch (error) {
    if (error instanceof NoAnswer) throw unreachable(socket, error);
    throw error;
  }
}

function unreachable(socket: string, error: NoAnswer): K8slanError {
  const advice = error.sent
    ? "look at its log"
    : error.cause instanceof Deno.errors.PermissionDenied
    ? "run this command as root"
    : `start it with "k8slan agent", or say with --socket or ${AGENT_SOCKET_ENV} where its socket is`;
  return new K8slanError(
    "AgentUnreachable",
    `Agent at "${socket}" does not answer: ${error.message}; ${advice}`,
    { retriable: true },
  );
}

function readAnswer(socket: string, line: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(line);
  } catch {
    // no JSON: falls through to the complaint below
  }
  if (typeof answer === "object" && answer !== null && "ok" in answer) {
    if (answer.ok === true) return "result" in answer ? answer.result : undefined;
    if (answer.ok === false && "error" in answer) {
      const { error } = answer;
      if (typeof error === "object" && error !== null && "msg" in error) {
        const details = "details" in error ? `: ${error.details}` : "";
        throw new K8slanError("AgentRefused", `${error.msg}${details}`);
      }
    }
  }
  throw new K8slanError(
    "AgentUnreachable",
    `What listens at "${socket}" does not speak as k8slan's agent does; run the same version of both`,
  );
}
