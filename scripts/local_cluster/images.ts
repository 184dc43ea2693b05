/** Images made by hand, since there is no registry to pull from; and how a node gets one. */

import { createHash } from "node:crypto";
import { runProgram } from "../../tests/support/lab_process.ts";
import { quote } from "./components.ts";
import { inNode, type NodeLayout } from "./layout.ts";

/** Busybox and nothing else; to be used with `imagePullPolicy: Never`. */
export const BUSYBOX_IMAGE = "k8slan.io/cluster/busybox:1";
/** Holds a pod's namespaces: the same files, but it sleeps. */
export const PAUSE_IMAGE = "k8slan.io/cluster/pause:1";

/** An image, by what docker calls it: `Cmd`, `Entrypoint` and the like. */
export interface HandMadeImage {
  readonly name: string;
  readonly config: object;
}

/** Writes the archive with both images into `folder` and returns its path. */
export async function makeBaseImages(folder: string, busybox: string): Promise<string> {
  await runProgram(["sh", "-euc", LAYER, `${folder}/root`, busybox]);
  return await packImages(folder, [
    { name: BUSYBOX_IMAGE, config: { Cmd: ["/bin/sh"] } },
    { name: PAUSE_IMAGE, config: { Entrypoint: ["/bin/sleep", "infinity"] } },
  ]);
}

/** Turns `folder`, which holds but their files in `root`, into an archive of images; its path. */
export async function packImages(
  folder: string,
  images: readonly HandMadeImage[],
): Promise<string> {
  const root = `${folder}/root`;
  const layer = `${folder}/layer.tar`;
  await pack(root, layer);
  const digest = createHash("sha256").update(await Deno.readFile(layer)).digest("hex");
  const manifest = [];
  for (const [index, { name, config }] of images.entries()) {
    const file = `${index}.json`;
    await Deno.writeTextFile(`${folder}/${file}`, JSON.stringify(imageConfig(digest, config)));
    manifest.push({ Config: file, RepoTags: [name], Layers: ["layer.tar"] });
  }
  await Deno.writeTextFile(`${folder}/manifest.json`, JSON.stringify(manifest));
  await Deno.remove(root, { recursive: true });
  await pack(folder, `${folder}.tar`);
  await Deno.remove(folder, { recursive: true });
  return `${folder}.tar`;
}

const LAYER = `
mkdir -p "$0/bin" "$0/etc" "$0/tmp" "$0/proc" "$0/sys" "$0/dev"
chmod 1777 "$0/tmp"
cp "$1" "$0/bin/busybox"
"$1" --list | while read -r name; do [ "$name" = busybox ] || ln -s busybox "$0/bin/$name"; done
echo root:x:0:0:root:/:/bin/sh >"$0/etc/passwd"
echo root:x:0: >"$0/etc/group"
`;

async function pack(folder: string, archive: string): Promise<void> {
  const anonymous = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  await runProgram(["tar", "-c", ...anonymous, "-C", folder, "-f", archive, "."]);
}

function imageConfig(layer: string, config: object) {
  return {
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin"], ...config },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
  };
}

/** Gives an OCI or docker archive to a node's containerd, and returns the names of its images. */
export async function loadImage(
  node: NodeLayout,
  env: Readonly<Record<string, string>>,
  archive: string,
): Promise<readonly string[]> {
  const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const ctr = ["env", "-i", ...words, "ctr", "-n", "k8s.io"];
  const command = inNode(node, ...ctr, "images", "import", "-");
  // The node need not see the file: it comes by standard input.
  const script = `exec ${command.map(quote).join(" ")} <"$0"`;
  const output = await runProgram(["sh", "-c", script, archive]);
  return [...output.matchAll(/^unpacking (\S+)/gm)].map((match) => match[1] ?? "");
}
