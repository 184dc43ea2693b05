/** One agent a run directory, and one a node. */

import { describe, K8slanError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { HOME_NETNS } from "../sys/netns.ts";

/**
 * Held until disposed of, or until the process ends in whatever way. Two agents with one run
 * directory would undo each other's work; so would two on one node, since what an agent finds
 * marked and does not know it removes. Throws `K8slanError` "AgentRunning".
 */
export function lockAgent(runDir: string, log: Log): Disposable {
  using stack = new DisposableStack();
  const path = `${runDir}/agent.lock`;
  stack.use(
    lock(
      Deno.openSync(path, { create: true, write: true, mode: 0o600 }),
      `Another agent is running with "${runDir}"; stop it, or let this one take its place`,
    ),
  );
  stack.use(lockNode(log));
  return stack.move();
}

/** The node is its network namespace, which is a file too. */
function lockNode(log: Log): Disposable {
  const file = Deno.openSync(HOME_NETNS);
  try {
    return lock(
      file,
      "Another agent is running in this network namespace with another --run-dir; a node has one agent, stop the other first",
    );
  } catch (error) {
    if (error instanceof K8slanError) throw error;
    // A kernel that does not lock such files: it is a precaution only.
    log.warn("Cannot make sure that this is the only agent of the node", {
      error: describe(error),
    });
    return file;
  }
}

function lock(file: Deno.FsFile, refusal: string): Disposable {
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new K8slanError("AgentRunning", refusal);
}
