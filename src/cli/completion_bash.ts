/** Completion for bash 4 and newer, without the bash-completion package. */

import type { CommandShape, OptionShape } from "./command_tree.ts";

/** The script; `options` are those of the program itself. */
export function bashCompletion(
  program: string,
  commands: readonly CommandShape[],
  options: readonly OptionShape[],
): string {
  const first = [...commands.map(({ name }) => name), ...options.flatMap(({ flags }) => flags)];
  return `# Completion of ${program} for bash; load it with: source <(${program} completion bash)
_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command=\${COMP_WORDS[1]} words=
  # bash takes "--output=json" for three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "${first.join(" ")}" -- "$current")
    return
  fi
  case "$command $previous" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$command" in
${commands.map(wordCase).join("\n")}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _${program} ${program}
`;
}

/** What may stand behind an option that takes a value. */
function valueCases({ name, options }: CommandShape): string[] {
  return options.flatMap(({ flags, value }) => {
    if (value === undefined) return [];
    const pattern = flags.map((flag) => `"${name} ${flag}"`).join(" | ");
    const generator = {
      choice: () => `-W "${value.kind === "choice" ? value.choices.join(" ") : ""}"`,
      file: () => "-f",
      folder: () => "-d",
      free: () => undefined,
    }[value.kind]();
    const names = value.kind === "file" || value.kind === "folder"
      // Makes bash add the slash behind folders; fails outside a completion that a key started.
      ? "      compopt -o filenames 2> /dev/null\n"
      : "";
    const reply = generator === undefined
      ? ""
      : `${names}      mapfile -t COMPREPLY < <(compgen ${generator} -- "$current")\n`;
    return [`    ${pattern})\n${reply}      return\n      ;;`];
  });
}

function wordCase({ name, options, argument }: CommandShape): string {
  const words = [...argument, ...options.flatMap(({ flags }) => flags)];
  return `    ${name}) words="${words.join(" ")}" ;;`;
}
