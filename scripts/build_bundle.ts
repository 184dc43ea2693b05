/** Bundling the program and its npm packages into a few JavaScript modules. */

/** What the bundle is made of; everything that modules may import lies in here. */
export const BUNDLE_INPUTS: readonly string[] = [
  "main.ts",
  "src",
  "crds",
  "deno.json",
  "deno.lock",
];

/**
 * Writes the program into the folder `app`: main.js, and a folder for each of the roles that it
 * imports. Sharing one bundle would cost each CNI call 18 ms and 8 MB, for what npm packages need:
 * the bundler gives all roles the piece of code that imports `node:module`.
 *
 * The work is done on a copy of the sources in the folder `stage`, with the packages beside them:
 * names of output files hash the paths of inputs, which then are the same on every machine.
 */
export async function bundleProgram(stage: string, app: string): Promise<void> {
  await copySources(stage);
  await deno(stage, "install", "--node-modules-dir=auto", "--frozen", "--quiet");
  const roles = ["src/cni/main.ts", "src/cli/main.ts"];
  await bundle(stage, [
    ...roles.map((role) => `--external=./${role}`),
    `--output=${app}/main.js`,
    "main.ts",
  ]);
  for (const role of roles) {
    const folder = role.slice(0, role.lastIndexOf("/"));
    await bundle(stage, ["--code-splitting", `--outdir=${app}/${folder}`, role]);
  }
  const main = await Deno.readTextFile(`${app}/main.js`);
  const linked = roles.reduce((text, role) => {
    if (!text.includes(`"./${role}"`)) throw new Error(`main.ts does not import "./${role}"`);
    return text.replace(role, role.replace(".ts", ".js"));
  }, main);
  await Deno.writeTextFile(`${app}/main.js`, linked);
}

/**
 * A module of the bundle whose dynamic imports Deno reads once they are reached. It reads those of a
 * literal together with the module, needed or not: 12 ms and 2 MB for a CNI call, which then has read
 * the whole program. (`deno compile` puts in what literals name, and reads nothing from disk.)
 */
export function importLate(module: string): string {
  return module.replaceAll(/\bimport\(("\.\.?\/[^"\\]+")\)/g, "import(String($1))");
}

async function bundle(stage: string, args: readonly string[]): Promise<void> {
  await deno(stage, "bundle", "--node-modules-dir=auto", "--frozen", "--quiet", ...args);
}

async function deno(cwd: string, ...args: string[]): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), { args, cwd, stdin: "null" }).spawn();
  const { success } = await child.status;
  if (!success) throw new Error(`Cannot bundle: deno ${args.join(" ")} failed, see above`);
}

async function copySources(stage: string): Promise<void> {
  for (const input of BUNDLE_INPUTS) {
    for await (const path of filesUnder(input)) {
      const target = `${stage}/${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(path, target);
    }
  }
}

/** All files of the product under `path`, sorted, without tests. */
export async function* filesUnder(path: string): AsyncGenerator<string> {
  if ((await Deno.stat(path)).isFile) {
    if (!path.endsWith("_test.ts")) yield path;
    return;
  }
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) names.push(entry.name);
  for (const name of names.sort()) yield* filesUnder(`${path}/${name}`);
}
