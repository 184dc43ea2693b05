/** Completion for fish. */

import type { CommandShape, OptionShape, OptionValue } from "./command_tree.ts";

/** The script; `options` are those of the program itself. */
export function fishCompletion(
  program: string,
  commands: readonly CommandShape[],
  options: readonly OptionShape[],
): string {
  const names = commands.map(({ name }) => name);
  const none = quote(`not __fish_seen_subcommand_from ${names.join(" ")}`);
  const lines = [
    ...commands.map(({ name, description }) => `-n ${none} -a ${name} -d ${quote(description)}`),
    ...options.map((option) => `-n ${none} ${optionWords(option)}`),
    ...commands.flatMap(({ name, options, argument }) => {
      const seen = quote(`__fish_seen_subcommand_from ${name}`);
      return [
        ...(argument.length > 0 ? [`-n ${seen} -a ${quote(argument.join(" "))}`] : []),
        ...options.map((option) => `-n ${seen} ${optionWords(option)}`),
      ];
    }),
  ];
  return [
    `# Completion of ${program} for fish; load it with: ${program} completion fish | source`,
    `complete -c ${program} -f`,
    ...lines.map((line) => `complete -c ${program} ${line}`),
    "",
  ].join("\n");
}

function optionWords({ flags, description, value }: OptionShape): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag[1]}`
  );
  return [...names, ...(value === undefined ? [] : valueWords(value)), `-d ${quote(description)}`]
    .join(" ");
}

function valueWords(value: OptionValue): string[] {
  switch (value.kind) {
    case "choice":
      return ["-x", `-a ${quote(value.choices.join(" "))}`];
    case "file":
      return ["-r", "-F"];
    case "folder":
      return ["-x", `-a ${quote("(__fish_complete_directories)")}`];
    case "free":
      return ["-x"];
  }
}

function quote(word: string): string {
  return `'${word.replaceAll(/['\\]/g, (char) => `\\${char}`)}'`;
}
