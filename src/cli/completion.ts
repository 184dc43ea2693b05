/** `k8slan completion`: the command tree in the words of a shell. */

import type { Command } from "commander";
import { commandShapes, optionShapes } from "./command_tree.ts";
import { bashCompletion } from "./completion_bash.ts";
import { fishCompletion } from "./completion_fish.ts";
import { zshCompletion } from "./completion_zsh.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";

export type Shell = "bash" | "zsh" | "fish";

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

/** Prints the script that makes `shell` complete the program whose commands are below `root`. */
export function completion(shell: Shell, root: Command, host: CliHost): Promise<number> {
  host.out(SCRIPTS[shell](root.name(), commandShapes(root), optionShapes(root)));
  return Promise.resolve(ExitCode.Ok);
}
