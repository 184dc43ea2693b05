/** The command line as plain data, for whatever has to know all of it: the shells' completions. */

import type { Argument, Command, Option } from "commander";

export interface CommandShape {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  /** What may stand in place of its first argument. */
  readonly argument: readonly string[];
}

export interface OptionShape {
  /** `-f` and `--file`, or only the latter. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What stands behind the option; undefined when nothing does. */
  readonly value?: OptionValue;
  /** May be given more than once. */
  readonly isRepeatable: boolean;
}

export type OptionValue =
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "file" | "folder" }
  /** Anything; only the person knows. */
  | { readonly kind: "free"; readonly name: string };

const FILE_NAMES = ["file", "path"];
const FOLDER_NAMES = ["dir"];

/** The commands below `root`, as its help lists them. */
export function commandShapes(root: Command): CommandShape[] {
  const help = root.createHelp();
  const commands = help.visibleCommands(root);
  const names = commands.map((command) => command.name());
  return commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: command.name() === "help" ? [] : optionShapes(command),
    argument: command.name() === "help"
      ? names
      : command.registeredArguments.flatMap(({ argChoices }: Argument) => argChoices ?? []),
  }));
}

/** The options of `command`, help included. */
export function optionShapes(command: Command): OptionShape[] {
  return command.createHelp().visibleOptions(command).map(optionShape);
}

function optionShape(option: Option): OptionShape {
  const { short, long, description, argChoices, variadic } = option;
  const value = valueOf(option.flags, argChoices);
  return {
    flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
    description,
    isRepeatable: variadic,
    ...(value === undefined ? {} : { value }),
  };
}

function valueOf(flags: string, choices: readonly string[] | undefined): OptionValue | undefined {
  if (choices !== undefined) return { kind: "choice", choices };
  const name = /<([^>.]+)/.exec(flags)?.[1];
  if (name === undefined) return undefined;
  if (FILE_NAMES.includes(name)) return { kind: "file" };
  return FOLDER_NAMES.includes(name) ? { kind: "folder" } : { kind: "free", name };
}
