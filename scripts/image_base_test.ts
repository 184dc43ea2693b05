import assert from "node:assert/strict";
import type { ArchiveEntry } from "./build_archive.ts";
import { baseLayer, LIBRARIES } from "./image_base.ts";
import { IMAGE_TARGETS, type ImageTarget } from "./image_layout.ts";

/** A folder as `obtainPackages` leaves it, with libraries below `libraries`. */
class Packages {
  readonly folder = Deno.makeTempDirSync({ prefix: "image-base-" });

  constructor({ libraries: name, loader }: ImageTarget, libraries: "lib" | "usr/lib") {
    const write = (path: string, text: string) => {
      const whole = `${this.folder}/${path}`;
      Deno.mkdirSync(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(whole, text);
    };
    write("control/libc6", "Package: libc6\n");
    write("root/usr/share/doc/libc6/copyright", "free");
    write("root/usr/share/common-licenses/GPL-3", "freer");
    write("root/usr/lib/os-release", "ID=debian\n");
    write("root/usr/share/ca-certificates/mozilla/B.crt", "B\n");
    write("root/usr/share/ca-certificates/mozilla/A.crt", "A");
    for (const file of [loader.file, ...LIBRARIES]) {
      write(`root/${libraries}/${name}/${file}`, file);
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function textOf(layer: readonly ArchiveEntry[], path: string): string {
  const entry = layer.find((each) => each.path === path);
  return entry !== undefined && "bytes" in entry ? new TextDecoder().decode(entry.bytes) : "";
}

for (const target of IMAGE_TARGETS) {
  for (const libraries of ["lib", "usr/lib"] as const) {
    Deno.test(`baseLayer() finds libraries for ${target.machine} in ${libraries}`, async () => {
      using packages = new Packages(target, libraries);
      const layer = await baseLayer(packages.folder, target);
      const folder = `usr/lib/${target.libraries}`;
      for (const name of LIBRARIES) assert.equal(textOf(layer, `${folder}/${name}`), name);
      // Programs name the loader by its path, which is a link.
      const link = layer.find(({ path }) => path === target.loader.path);
      assert.ok(link !== undefined && "target" in link);
      const { pathname } = new URL(link.target, `file:///${link.path}`);
      assert.equal(textOf(layer, pathname.slice(1)), target.loader.file);
    });
  }
}

Deno.test("baseLayer() has accounts, authorities and licences, and nothing to run", async () => {
  const [target] = IMAGE_TARGETS;
  assert.ok(target !== undefined);
  using packages = new Packages(target, "lib");
  const layer = await baseLayer(packages.folder, target);
  assert.match(textOf(layer, "etc/passwd"), /^nonroot:x:65532:65532:/m);
  assert.equal(textOf(layer, "etc/ssl/certs/ca-certificates.crt"), "A\nB\n");
  assert.equal(textOf(layer, "var/lib/dpkg/status.d/libc6"), "Package: libc6\n");
  assert.equal(textOf(layer, "usr/share/doc/libc6/copyright"), "free");
  assert.deepEqual(layer.filter(({ path }) => /(^|\/)s?bin(\/|$)/.test(path)), []);
});
