/** Objects with reasons → YAML with comments. */

import { Document, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { reasonFor, reasonOf } from "./why.ts";

/** Columns that a comment may take, its indent not counted. */
const COMMENT_WIDTH = 90;

/** The objects as documents of one file. */
export function renderObjects(header: string, objects: readonly object[]): string {
  return commentLines(header) + objects.map((object) => `---\n${renderObject(object)}`).join("");
}

function renderObject(object: object): string {
  const document = new Document(undefined);
  document.contents = toNode(object) as typeof document.contents;
  const reason = reasonOf(object);
  // Above the first line, and not, as the library would have it, with a blank line between.
  return (reason === undefined ? "" : commentLines(reason)) +
    document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function toNode(value: unknown): Node {
  if (Array.isArray(value)) {
    const seq = new YAMLSeq();
    seq.items = value.map((item) => {
      const node = toNode(item);
      const reason = isObject(item) ? reasonOf(item) : undefined;
      if (reason !== undefined) node.commentBefore = comment(reason);
      return node;
    });
    if (value.length === 0 || value.every((item) => !isObject(item)) && value.length < 8) {
      seq.flow = true;
    }
    return seq;
  }
  if (!isObject(value)) return new Scalar(value);
  const map = new YAMLMap();
  for (const [field, content] of Object.entries(value)) {
    if (content === undefined) continue;
    const key = new Scalar(field);
    const reason = reasonFor(value, field) ??
      (isObject(content) && !Array.isArray(content) ? reasonOf(content) : undefined);
    if (reason !== undefined) key.commentBefore = comment(reason);
    map.items.push(new Pair(key, toNode(content)));
  }
  if (map.items.length === 0) map.flow = true;
  return map;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** As lines of the file itself. */
function commentLines(text: string): string {
  return wrap(text).map((line) => `# ${line}`.trimEnd() + "\n").join("");
}

/** As the library wants it: it puts the "#" in front. */
function comment(text: string): string {
  return wrap(text).map((line) => ` ${line}`).join("\n");
}

function wrap(text: string): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines = [""];
    for (const word of paragraph.split(" ")) {
      const last = lines[lines.length - 1] ?? "";
      if (last === "") lines[lines.length - 1] = word;
      else if (last.length + 1 + word.length <= COMMENT_WIDTH) {
        lines[lines.length - 1] += ` ${word}`;
      } else lines.push(word);
    }
    return lines;
  });
}
