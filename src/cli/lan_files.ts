/** LANs from files a person names, with everything that is wrong with them. */

import { describe, K8slanError } from "../base/errors.ts";
import type { Lan } from "../api/lan.ts";
import { quote } from "../api/issues.ts";
import { type LanFileEntry, type LanFileIssue, type LanPlace, parseLans } from "../api/lan_yaml.ts";
import { acceptLans, type Verdict } from "../plan/acceptance.ts";
import { lanName } from "../plan/lan_plan.ts";
import type { CliHost } from "./host.ts";

/** What the agent reads of its folder too. */
const FILE_NAME = /^[^.].*\.(ya?ml|json)$/;
const STDIN = "-";

export interface LanFiles {
  /** Every LAN that is well-formed, those that lost to another included. */
  readonly lans: readonly PlacedLan[];
  /** Every fault, conflicts between LANs included, in the order of the files. */
  readonly issues: readonly LanFileIssue[];
  /** How many objects were found, good and bad. */
  readonly count: number;
}

export interface PlacedLan {
  readonly lan: Lan;
  readonly place: LanPlace;
  readonly accepted: boolean;
}

/**
 * Reads files, the files of folders, and standard input for "-". Throws `K8slanError`
 * ("UnreadableFile", "NoLan") when there is nothing to judge.
 */
export async function readLanFiles(paths: readonly string[], host: CliHost): Promise<LanFiles> {
  const files = [...new Set(paths.flatMap(expand))];
  const entries: LanFileEntry[] = [];
  for (const path of files) {
    const text = path === STDIN ? await host.stdin() : readText(path);
    entries.push(...parseLans(text, path === STDIN ? "stdin" : path));
  }
  if (entries.length === 0) {
    throw new K8slanError(
      "NoLan",
      `There is no LAN in ${paths.map((path) => `"${path}"`).join(", ")}`,
    );
  }
  const lans: PlacedLan[] = [];
  const issues: LanFileIssue[] = [];
  const firsts = firstOfEachName(entries);
  const verdicts = acceptLans([...firsts.values()].map(({ lan }) => lan));
  for (const entry of entries) {
    if (entry.kind === "bad") {
      issues.push(...entry.issues);
      continue;
    }
    const { lan, place } = entry;
    const first = firsts.get(lanName(lan));
    const verdict = verdicts.get(lan.metadata.uid);
    const isAccepted = first === entry && verdict?.accepted === true;
    lans.push({ lan, place, accepted: isAccepted });
    if (first !== undefined && first !== entry) issues.push(repeated(entry, first));
    else if (verdict !== undefined && !verdict.accepted) issues.push(conflict(lan, place, verdict));
  }
  return { lans, issues, count: entries.length };
}

type LanEntry = Extract<LanFileEntry, { kind: "lan" }>;

/** Of several LANs of one name the agent takes the first too. */
function firstOfEachName(entries: readonly LanFileEntry[]): ReadonlyMap<string, LanEntry> {
  const firsts = new Map<string, LanEntry>();
  for (const entry of entries) {
    if (entry.kind !== "lan") continue;
    const name = lanName(entry.lan);
    if (!firsts.has(name)) firsts.set(name, entry);
  }
  return firsts;
}

function repeated({ lan, place }: LanEntry, { place: first }: LanEntry): LanFileIssue {
  const where = `${first.source}:${first.line ?? `document ${first.document}`}`;
  const message = `${quote(lan.metadata.name)} is also the name of the LAN at ${where}; ` +
    "rename or remove one of them";
  return { ...place, path: "metadata.name", message };
}

function conflict(
  { spec }: Lan,
  place: LanPlace,
  { field, value, message }: Extract<Verdict, { accepted: false }>,
): LanFileIssue {
  const path = {
    ns: "spec.ns",
    vni: "spec.vni",
    spoke: `spec.spokes[${spec.spokes.indexOf(value)}]`,
    uid: "metadata.uid",
  }[field];
  // The verdict's sentence begins with the field, in whose place the path stands here.
  return { ...place, path, message: message.slice(message.indexOf(" ") + 1) };
}

function expand(path: string): string[] {
  if (path === STDIN) return [path];
  return read(path, () => {
    if (!Deno.statSync(path).isDirectory) return [path];
    return [...Deno.readDirSync(path)]
      .filter(({ name, isDirectory }) => !isDirectory && FILE_NAME.test(name))
      .map(({ name }) => `${path.replace(/\/+$/, "")}/${name}`)
      .sort();
  });
}

function readText(path: string): string {
  return read(path, () => Deno.readTextFileSync(path));
}

function read<Result>(path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new K8slanError("UnreadableFile", `Cannot read "${path}": ${reason(error)}`);
  }
}

/** Deno repeats call and path in the message of such an error; the person knows them. */
function reason(error: unknown): string {
  return describe(error).replace(/: \w+ '.*'$/, "");
}
