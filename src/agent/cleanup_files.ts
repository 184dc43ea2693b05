/** Which files of a node are ours, and their removal. */

import { CNI_TYPE, CNI_TYPE_ALIAS, NETNS_DIR_NAME } from "../api/names.ts";
import { isTemporary } from "./atomic_file.ts";

/** Folders that something of ours may be in. */
export interface CleanupPlaces {
  readonly runDir: string;
  readonly stateDir: string;
  /** Where the executable unpacks itself, if it is of that form. */
  readonly cacheDir: string;
  readonly cniBinDir: string;
  readonly kubeletDir: string;
  /**
   * Where the host's own folders are: in a container those above are mounts, which can be emptied
   * but not removed. Empty on the host itself.
   */
  readonly hostRoot: string;
}

export interface OwnFile {
  readonly path: string;
  /** "folder": only if it is empty by then. */
  readonly kind: "file" | "tree" | "folder";
}

const RUN_FILE = /^(agent\.(sock|lock)|deletes)$/;
const STATE_FILE = /^(attachments|(taps|first-seen|cluster|plugin)\.json(\.damaged)?)$/;
/** The plugin's program, ready to run. */
const PROGRAM_FOLDER = "program";
/** As scripts/build_launcher.sh names them. */
const CACHE_FOLDER = /^([0-9a-f]{16}|unpack\.\w{6})$/;
/** What `isOurSocketName` of src/deviceplugin says. */
const DEVICE_SOCKET = /^\.?k8slan-.*\.sock$/;

/** What is there, in the order in which it should go; `kept` is left alone, with why. */
export function ownFiles(
  places: CleanupPlaces,
  { keepPlugin, keepRunDir }: { readonly keepPlugin: boolean; readonly keepRunDir: boolean },
): { readonly own: readonly OwnFile[]; readonly kept: readonly string[] } {
  const { runDir, stateDir, cacheDir, kubeletDir, hostRoot } = places;
  const sockets = namesIn(`${kubeletDir}/device-plugins`)
    .filter((name) => DEVICE_SOCKET.test(name))
    .map((name): OwnFile => ({ path: `${kubeletDir}/device-plugins/${name}`, kind: "file" }));
  const state = `${hostRoot}${stateDir}`;
  const plugin = [
    ...pluginFiles(places),
    // This very program may lie in one of these, so they come late.
    { path: `${state}/${PROGRAM_FOLDER}`, kind: "tree" },
    ...filesIn(`${hostRoot}${cacheDir}`, CACHE_FOLDER),
  ] satisfies OwnFile[];
  const own: OwnFile[] = [
    ...sockets,
    ...(keepRunDir ? [] : runFiles(runDir, hostRoot)),
    ...filesIn(state, STATE_FILE).slice(0, -1),
    ...(keepPlugin ? [] : plugin),
    { path: state, kind: "folder" },
  ];
  return {
    own: own.filter(isThere),
    kept: [
      ...foreignAlias(places),
      ...(keepPlugin ? plugin : []).filter(isThere).map(({ path }) => `"${path}": ${NEEDED}`),
    ],
  };
}

function runFiles(runDir: string, hostRoot: string): OwnFile[] {
  return [
    { path: `${runDir}/${NETNS_DIR_NAME}`, kind: "folder" },
    ...filesIn(runDir, RUN_FILE).slice(0, -1),
    { path: `${hostRoot}${runDir}`, kind: "folder" },
  ];
}

/** What has such a name, then the folder itself. Whatever else is in there stays, and so does it. */
function filesIn(folder: string, pattern: RegExp): OwnFile[] {
  const own = namesIn(folder).filter((name) => pattern.test(name) || isTemporary(name));
  return [
    ...own.map((name): OwnFile => ({ path: `${folder}/${name}`, kind: "tree" })),
    { path: folder, kind: "folder" },
  ];
}

const NEEDED =
  "workloads that were attached cannot end without it; clean up again after them, without --force";

/** The plugin, its second name if that is ours, and what an interrupted installation left. */
function pluginFiles({ cniBinDir }: CleanupPlaces): OwnFile[] {
  const names = namesIn(cniBinDir).filter((name) =>
    name === CNI_TYPE || name === CNI_TYPE_ALIAS && isOurAlias(cniBinDir) ||
    name.startsWith(`.${CNI_TYPE}.`) && isTemporary(name)
  );
  return names.map((name) => ({ path: `${cniBinDir}/${name}`, kind: "file" }));
}

function foreignAlias({ cniBinDir }: CleanupPlaces): string[] {
  const path = `${cniBinDir}/${CNI_TYPE_ALIAS}`;
  if (lstat(path) === undefined || isOurAlias(cniBinDir)) return [];
  return [`"${path}": it belongs to another program`];
}

function isOurAlias(cniBinDir: string): boolean {
  try {
    const target = Deno.readLinkSync(`${cniBinDir}/${CNI_TYPE_ALIAS}`);
    return [CNI_TYPE, `./${CNI_TYPE}`, `${cniBinDir}/${CNI_TYPE}`].includes(target);
  } catch {
    return false; // no link
  }
}

/** Removes it; that it is gone already is fine. Returns why it was left instead, if so. */
export function removeOwnFile({ path, kind }: OwnFile): string | undefined {
  if (kind === "folder" && namesIn(path).length > 0) return "there is something else in it";
  try {
    Deno.removeSync(path, { recursive: kind === "tree" });
  } catch (error) {
    if (error instanceof Deno.errors.Busy) return "it is a mount, and empty now";
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}

function namesIn(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function isThere({ path }: OwnFile): boolean {
  return lstat(path) !== undefined;
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
