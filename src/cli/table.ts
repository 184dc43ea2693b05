/** Plain tables for people and for `awk`. */

const GAP = "  ";

/**
 * Rows as aligned columns under `header`, one line each. An empty cell is shown as "-", so that
 * columns can be counted; the last column is not padded.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [header, ...rows.map((row) => row.map(cellText))];
  const widths = header.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0))
  );
  return lines.map((line) => {
    const cells = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return `${cells.join(GAP).trimEnd()}\n`;
  }).join("");
}

/** Nothing in a cell may break the line or steer the terminal. */
function cellText(value: string): string {
  // deno-lint-ignore no-control-regex -- these are the ones to take out
  return value.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, "?") || "-";
}
