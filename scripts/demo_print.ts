/** How the demo speaks: numbered headings, paragraphs, indented blocks. */

// deno-lint-ignore-file no-console

const isColoured = Deno.stdout.isTerminal() && !Deno.env.has("NO_COLOR");

function styled(code: number, text: string): string {
  return isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
}

const ROOT = new URL("..", import.meta.url).pathname;
/** Of commands; longer ones are broken. Columns. */
const LINE_WIDTH = 84;

let chapters = 0;

/** What comes now. */
export function heading(title: string): void {
  console.log(`\n${styled(1, `${++chapters}. ${title}`)}`);
}

/** What it is about. */
export function say(...lines: readonly string[]): void {
  for (const line of lines) console.log(line === "" ? "" : `   ${line}`);
}

/** What a program printed, or a table. */
export function show(text: string): void {
  console.log(text.trimEnd().replaceAll(/^(?=.)/gm, "     "));
}

/** A command that the reader could type, in the folder of the repository. */
export function command(...words: readonly string[]): void {
  const lines = [""];
  for (const word of words.map((word) => word.replace(ROOT, ""))) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines.splice(-1, 1, word);
    else if (line.length + word.length < LINE_WIDTH) lines.splice(-1, 1, `${line} ${word}`);
    else lines.push(word);
  }
  console.log(`   ${styled(36, `$ ${lines.join(" \\\n       ")}`)}`);
}

/** Something that was checked and holds. */
export function ok(text: string): void {
  console.log(`   ${styled(32, "ok")}  ${text}`);
}

export function complain(text: string): void {
  console.error(`${styled(31, "demo:")} ${text}`);
}

/** Columns of the same width in every row. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows
    .map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd())
    .join("\n");
}
