/** Lists in messages that people read: a few entries, and how many more there are. */

export interface ListOptions {
  /** Most entries shown. */
  readonly most?: number;
  /** Most characters, which at least the first entry gets, cut if need be. */
  readonly chars?: number;
  /** How many there are in all, where `items` are only some of them. */
  readonly total?: number;
  readonly separator?: string;
}

/** `a, b and 3 more` */
export function textList(items: readonly string[], options: ListOptions = {}): string {
  const { most = 10, chars = 4000, total = items.length, separator = ", " } = options;
  const shown: string[] = [];
  let length = 0;
  for (const item of items.slice(0, most)) {
    length += item.length + separator.length;
    if (length > chars && shown.length > 0) break;
    shown.push(cut(item, chars));
  }
  const rest = Math.max(total, items.length) - shown.length;
  const text = shown.join(separator);
  if (rest === 0) return text;
  return shown.length === 0 ? `${rest} more` : `${text} and ${rest} more`;
}

/** `text` of at most `most` characters. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** `1 node`, `2 nodes` */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** `"a", "b"` */
export function quoted(names: readonly string[]): string[] {
  return names.map((name) => `"${name}"`);
}
