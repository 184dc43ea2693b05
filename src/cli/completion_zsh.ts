/** Completion for zsh, from a file in $fpath or sourced. */

import type { CommandShape, OptionShape, OptionValue } from "./command_tree.ts";

/** The script; `options` are those of the program itself. */
export function zshCompletion(
  program: string,
  commands: readonly CommandShape[],
  options: readonly OptionShape[],
): string {
  const list = commands.map(({ name, description }) =>
    `      ${quote(`${name}:${plain(description)}`)}`
  );
  return `#compdef ${program}
# Completion of ${program} for zsh; load it with: source <(${program} completion zsh)
_${program}() {
  if ((CURRENT == 2)); then
    local -a commands=(
${list.join("\n")}
    )
    _describe command commands
    [[ $words[2] == -* ]] && _arguments ${options.flatMap(optionSpecs).join(" ")}
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(commandCase).join("\n")}
  esac
}
if [[ $funcstack[1] == _${program} ]]; then
  _${program}
else
  compdef _${program} ${program}
fi
`;
}

function commandCase({ name, options, argument }: CommandShape): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...(argument.length > 0 ? [quote(`1: :(${argument.join(" ")})`)] : []),
  ];
  const action = specs.length === 0
    ? ["      ;;"]
    : ["      _arguments \\", `        ${specs.join(" \\\n        ")}`, "      ;;"];
  return [`    ${name})`, ...action].join("\n");
}

/** One specification a flag, as _arguments wants them. */
function optionSpecs({ flags, description, value, isRepeatable }: OptionShape): string[] {
  const excludes = isRepeatable ? "*" : flags.length > 1 ? `(${flags.join(" ")})` : "";
  const action = value === undefined ? "" : valueAction(value);
  return flags.map((flag) => {
    // "=": the value may stand behind that sign too.
    const joint = value !== undefined && flag.startsWith("--") ? "=" : "";
    return quote(`${excludes}${flag}${joint}[${plain(description)}]${action}`);
  });
}

function valueAction(value: OptionValue): string {
  switch (value.kind) {
    case "choice":
      return `:value:(${value.choices.join(" ")})`;
    case "file":
      return ":file:_files";
    case "folder":
      return ":folder:_files -/";
    case "free":
      return `:${plain(value.name)}: `;
  }
}

/** Text without what has a meaning to _arguments and _describe. */
function plain(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, (char) => `\\${char}`);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
