/** The command line: what a person at a terminal, a script or a service manager starts. */

import { CommanderError } from "commander";
import { describe } from "../base/errors.ts";
import { ExitCode, UsageError } from "./exit_code.ts";
import { type CliHost, processHost } from "./host.ts";
import { buildProgram } from "./program.ts";

/** Runs the command in `args`, without the program's own name, and returns its exit code. */
export async function cliMain(args: readonly string[]): Promise<number> {
  return await runCli(args, processHost);
}

/** The same on any host. */
export async function runCli(args: readonly string[], host: CliHost): Promise<number> {
  const program = buildProgram(host);
  try {
    await program.root.parseAsync([...args], { from: "user" });
    return program.exitCode();
  } catch (error) {
    // Whoever reads the output has seen enough (`k8slan plan … | head`).
    if (error instanceof Deno.errors.BrokenPipe) return ExitCode.Ok;
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    }
    host.err(`k8slan: ${describe(error)}\n`);
    if (error instanceof UsageError) return ExitCode.Usage;
    if (isBug(error)) host.err(`${error.stack}\n`);
    return ExitCode.Failed;
  }
}

/** Is it a fault of the program, so that whoever reports it needs to say where it happened? */
function isBug(error: unknown): error is Error {
  return [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
}
