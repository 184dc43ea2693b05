/**
 * Makes the container image as an archive, without any container engine; started by scripts/image.
 *
 *     scripts/image [--target x86_64|aarch64|all] [--form compiled|unpacking]
 *                   [--name k8slan.io/k8slan:VERSION] [--output dist/k8slan-image.tar]
 *
 * The archive is for `ctr -n k8s.io images import`, `docker load`, `podman load` and `skopeo`. Needs
 * no root, but apt-get, for a few libraries of Debian's; nothing of another architecture is run.
 */

// deno-lint-ignore-file no-console

import { parseArgs } from "node:util";
import { describe } from "../src/base/errors.ts";
import { baseLayer, obtainPackages } from "./image_base.ts";
import {
  ENTRYPOINT,
  ENV,
  IMAGE_NAME,
  IMAGE_TARGETS,
  type ImageTarget,
  LABELS,
  USER,
} from "./image_layout.ts";
import { type Image, imageArchive, makeImage, type RunConfig } from "./image_oci.ts";
import { programLayers, withFolders } from "./image_program.ts";

async function main(): Promise<number> {
  const start = Deno.cwd();
  Deno.chdir(new URL("..", import.meta.url));
  const { values } = parseArgs({
    options: {
      target: { type: "string", default: Deno.build.arch },
      form: { type: "string" },
      name: { type: "string", default: IMAGE_NAME },
      output: { type: "string" },
    },
  });
  const { target, name, form } = values;
  const targets = IMAGE_TARGETS.filter(({ machine, architecture }) =>
    [machine, architecture, "all"].includes(target)
  );
  if (targets.length === 0) {
    const known = [...IMAGE_TARGETS.map(({ machine }) => machine), "all"].join(", ");
    console.error(`Unknown --target "${target}"; expected one of: ${known}`);
    return 2;
  }
  if (!/^[a-z0-9][a-z0-9.:/_-]*:[\w.-]+$/.test(name)) {
    console.error(`--name "${name}" is no name of an image with a tag, such as "${IMAGE_NAME}"`);
    return 2;
  }
  const output = values.output === undefined
    ? `dist/k8slan-image${suffix(targets)}.tar`
    : new URL(values.output, `file://${start}/`).pathname;

  const images: Image[] = [];
  for (const each of targets) images.push(await makeFor(each, form));
  // Two that make the same at once must not write to one file.
  const unfinished = `${output}.${Deno.pid}.new`;
  await Deno.writeFile(unfinished, new Blob([...await imageArchive(name, images)]).stream());
  await Deno.rename(unfinished, output);
  for (const { architecture, layers, manifest } of images) {
    const sizes = layers.map(({ size }) => megabytes(size)).join(" + ");
    say(`${architecture}, layers of ${sizes} MB, ${manifest.digest}`);
  }
  say(`${output}, ${name}, ${megabytes((await Deno.stat(output)).size)} MB`);
  return 0;
}

async function makeFor(target: ImageTarget, form: string | undefined): Promise<Image> {
  const executable = await buildExecutable(target, form);
  const { runtime, program } = programLayers(executable);
  const licence = {
    path: "usr/share/doc/k8slan/LICENSE",
    mode: 0o644,
    bytes: await Deno.readFile("LICENSE"),
  };
  const layers = [
    await baseLayer(await obtainPackages(target, say), target),
    runtime,
    [...program, licence],
  ].filter((layer) => layer.length > 0);
  return await makeImage(target.architecture, layers.map(withFolders), RUN_CONFIG);
}

const RUN_CONFIG: RunConfig = {
  User: USER,
  Env: Object.entries(ENV).map(([key, value]) => `${key}=${value}`),
  Entrypoint: [ENTRYPOINT],
  WorkingDir: "/",
  Labels: LABELS,
};

async function buildExecutable(
  { machine }: ImageTarget,
  form: string | undefined,
): Promise<Uint8Array> {
  const { success } = await new Deno.Command("scripts/build", {
    args: [`--target=${machine}`, ...(form === undefined ? [] : [`--form=${form}`])],
    stdin: "null",
  }).spawn().status;
  if (!success) throw new Error("The executable could not be built, see above");
  return await Deno.readFile(`dist/k8slan${machine === Deno.build.arch ? "" : `-${machine}`}`);
}

/** As scripts/build names what it makes. */
function suffix(targets: readonly ImageTarget[]): string {
  const [first] = targets;
  if (targets.length > 1 || first === undefined) return "-all";
  return first.machine === Deno.build.arch ? "" : `-${first.machine}`;
}

function say(line: string): void {
  console.log(`image: ${line}`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(`image: ${describe(error)}`);
    Deno.exit(1);
  }
}
