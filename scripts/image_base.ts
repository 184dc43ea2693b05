/** The image's lowest layer: what Deno and compiled programs need of a system, and nothing to run. */

import { withFileLock } from "./local_cluster/file_lock.ts";
import { type Say, toolsFolder } from "./local_cluster/tools.ts";
import type { ArchiveEntry } from "./build_archive.ts";
import { filesUnder } from "./build_bundle.ts";
import type { ImageTarget } from "./image_layout.ts";

const PACKAGES = ["base-files", "ca-certificates", "libc6", "libgcc-s1"];

export const LIBRARIES = [
  "libc.so.6",
  "libdl.so.2",
  "libgcc_s.so.1",
  "libm.so.6",
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libpthread.so.0",
  "libresolv.so.2",
  "librt.so.1",
];

/** Security updates are to reach the image without anyone's doing. */
const KEPT_MS = 24 * 60 * 60_000;

/** The folder with the unpacked packages; obtained anew when they are older than a day. */
export async function obtainPackages(target: ImageTarget, say: Say): Promise<string> {
  const folder = `${toolsFolder()}/image-${target.architecture}`;
  await withFileLock(`${folder}.lock`, async () => {
    const age = Date.now() - await timeOf(`${folder}/complete`);
    if (age < KEPT_MS) return;
    const script = new URL("image_packages.sh", import.meta.url).pathname;
    const { success, stderr } = await new Deno.Command("sh", {
      args: [script, `${folder}.new`, target.architecture, ...PACKAGES],
      stdin: "null",
    }).output().catch((cause) => ({ success: false, stderr: new TextEncoder().encode(cause) }));
    if (!success && age < Infinity) {
      say(`Debian is out of reach; what was obtained ${hours(age)} ago is taken`);
      return;
    }
    if (!success) {
      const said = new TextDecoder().decode(stderr).trim();
      throw new Error(
        `Debian's packages ${PACKAGES.join(", ")} for ${target.architecture} could not be had by ` +
          `apt-get; the image is made on Debian or Ubuntu, or by the Dockerfile: ${said}`,
      );
    }
    await Deno.writeTextFile(`${folder}.new/complete`, "");
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.rename(`${folder}.new`, folder);
  });
  return folder;
}

/** The layer, of packages as `obtainPackages` leaves them. */
export async function baseLayer(
  packages: string,
  target: ImageTarget,
): Promise<readonly ArchiveEntry[]> {
  const root = `${packages}/root`;
  const file = (path: string, bytes: Uint8Array, mode = 0o644) => ({ path, mode, bytes });
  const text = (path: string, lines: readonly string[]) =>
    file(path, new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  const entries: ArchiveEntry[] = [
    { path: "lib", target: "usr/lib" },
    { path: "lib64", target: "usr/lib64" },
    { path: "usr/lib64", mode: 0o755 },
    { path: target.loader.path, target: loaderTarget(target) },
    file("usr/lib/os-release", await Deno.readFile(`${root}/usr/lib/os-release`)),
    { path: "etc/os-release", target: "../usr/lib/os-release" },
    text("etc/passwd", [
      "root:x:0:0:root:/root:/sbin/nologin",
      "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin",
      "nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin",
    ]),
    text("etc/group", ["root:x:0:", "nogroup:x:65534:", "nonroot:x:65532:"]),
    text("etc/nsswitch.conf", ["passwd: files", "group: files", "hosts: files dns"]),
    file("etc/ssl/certs/ca-certificates.crt", await authorities(root)),
    { path: "root", mode: 0o700 },
    { path: "run", mode: 0o755 },
    { path: "tmp", mode: 0o1777 },
    { path: "var/run", target: "/run" },
  ];
  for (const name of [target.loader.file, ...LIBRARIES]) {
    const path = `usr/lib/${target.libraries}/${name}`;
    entries.push(file(path, await readLibrary(root, target, name), 0o755));
  }
  // Scanners find here what the image is made of.
  for await (const path of filesUnder(`${packages}/control`)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    entries.push(file(`var/lib/dpkg/status.d/${name}`, await Deno.readFile(path)));
    const licence = `usr/share/doc/${name}/copyright`;
    entries.push(file(licence, await Deno.readFile(`${root}/${licence}`)));
  }
  for await (const path of filesUnder(`${root}/usr/share/common-licenses`)) {
    entries.push(file(path.slice(root.length + 1), await Deno.readFile(path)));
  }
  return entries;
}

/** Older packages have libraries in /lib, which is a link to /usr/lib on every system of today. */
async function readLibrary(root: string, target: ImageTarget, name: string): Promise<Uint8Array> {
  const path = `lib/${target.libraries}/${name}`;
  return await Deno.readFile(`${root}/usr/${path}`)
    .catch(async () => await Deno.readFile(`${root}/${path}`));
}

function loaderTarget({ loader, libraries }: ImageTarget): string {
  return loader.path.startsWith("usr/lib/")
    ? `${libraries}/${loader.file}`
    : `../lib/${libraries}/${loader.file}`;
}

/** What `update-ca-certificates` writes where nothing has been configured. */
async function authorities(root: string): Promise<Uint8Array> {
  const texts: string[] = [];
  for await (const path of filesUnder(`${root}/usr/share/ca-certificates/mozilla`)) {
    texts.push((await Deno.readTextFile(path)).trimEnd() + "\n");
  }
  return new TextEncoder().encode(texts.join(""));
}

async function timeOf(path: string): Promise<number> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.mtime?.getTime() ?? -Infinity;
}

function hours(ms: number): string {
  return `${Math.round(ms / 3_600_000)} hours`;
}
