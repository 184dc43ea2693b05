/** One question to the agent: one JSON line each way over its unix socket. */

import { type AgentRequest, CniCode } from "../api/agent_protocol.ts";
import { AGENT_SOCKET_ENV, MAX_MESSAGE_BYTES } from "../api/names.ts";
import { describe } from "../base/errors.ts";
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
  const line = new TextEncoder().encode(JSON.stringify(request) + "\n");
  if (line.length > MAX_MESSAGE_BYTES) {
    throw new CniError(
      CniCode.InvalidConfig,
      `Network configuration and CNI_ARGS together are larger than ${MAX_MESSAGE_BYTES} bytes`,
    );
  }
  const conn = await connect(socket);
  // Not setTimeout: the first one loads Deno's node:timers, 6 ms and 4 MB, a fifth of the whole call.
  const deadline = AbortSignal.timeout(deadlineMs);
  const hangUp = () => conn.close();
  deadline.addEventListener("abort", hangUp);
  try {
    return readAnswer(socket, await exchange(conn, line));
  } catch (error) {
    if (error instanceof CniError) throw error;
    const problem = deadline.aborted
      ? `did not answer within ${deadlineMs / 1000} s`
      : describe(error);
    throw new AgentAway(
      CniCode.TryAgainLater,
      `k8slan agent at "${socket}" went away: ${problem}; look at its log and try again`,
      true,
    );
  } finally {
    deadline.removeEventListener("abort", hangUp);
    if (!deadline.aborted) conn.close();
  }
}

async function connect(socket: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path: socket });
  } catch (error) {
    const forbidden = error instanceof Deno.errors.PermissionDenied;
    const advice = forbidden
      ? "the plugin has to run as root"
      : `start it on this node, or set ${AGENT_SOCKET_ENV} if its socket is elsewhere`;
    throw new AgentAway(
      forbidden ? CniCode.Io : CniCode.TryAgainLater,
      `k8slan agent does not answer at "${socket}": ${describe(error)}; ${advice}`,
      false,
    );
  }
}

async function exchange(conn: Deno.UnixConn, line: Uint8Array): Promise<string> {
  for (let sent = 0; sent < line.length;) sent += await conn.write(line.subarray(sent));
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16 * 1024);
  let answer = "";
  while (true) {
    const count = await conn.read(chunk);
    if (count === null) throw new Error("it closed the connection before it answered");
    const part = chunk.subarray(0, count);
    const end = part.indexOf(0x0a);
    if (end >= 0) return answer + decoder.decode(part.subarray(0, end));
    answer += decoder.decode(part, { stream: true });
    if (answer.length > MAX_MESSAGE_BYTES) {
      throw new Error(`its answer is longer than ${MAX_MESSAGE_BYTES} bytes`);
    }
  }
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
