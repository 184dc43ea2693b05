import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { findFiles } from "./build_archive.ts";
import { imageArchive, makeImage, type RunConfig } from "./image_oci.ts";

const RUN: RunConfig = { User: "0", Env: ["A=b"], Entrypoint: ["/x"], WorkingDir: "/", Labels: {} };

/** Makes an archive and reads it: its files by path. */
async function makeArchive(architectures: readonly string[]): Promise<Map<string, Uint8Array>> {
  const images = [];
  for (const architecture of architectures) {
    const bytes = new TextEncoder().encode(architecture);
    const layers = [[{ path: "tmp", mode: 0o1777 }], [{ path: "x", mode: 0o755, bytes }]];
    images.push(await makeImage(architecture, layers, RUN));
  }
  const pieces = await imageArchive("example.org/x:1.2", images);
  const archive = new Uint8Array(await new Blob([...pieces]).arrayBuffer());
  return new Map(
    findFiles(archive).map(({ path, start, size }) => [path, archive.slice(start, start + size)]),
  );
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

class Archive {
  constructor(readonly files: ReadonlyMap<string, Uint8Array>) {}

  bytes(path: string): Uint8Array {
    return this.files.get(path) ?? assert.fail(`there is no ${path}`);
  }

  json(path: string) {
    return JSON.parse(new TextDecoder().decode(this.bytes(path)));
  }

  /** The blob that a descriptor stands for; it has to be as described. */
  blob(descriptor: { readonly digest: string; readonly size: number }): Uint8Array {
    const bytes = this.bytes(`blobs/${descriptor.digest.replace(":", "/")}`);
    assert.equal(sha256(bytes), descriptor.digest);
    assert.equal(bytes.length, descriptor.size);
    return bytes;
  }

  described(descriptor: { readonly digest: string; readonly size: number }) {
    return JSON.parse(new TextDecoder().decode(this.blob(descriptor)));
  }
}

Deno.test("imageArchive() gives the same bytes for the same content", async () => {
  assert.deepEqual(await makeArchive(["amd64", "arm64"]), await makeArchive(["amd64", "arm64"]));
});

Deno.test("imageArchive() holds an image that its digests agree with", async () => {
  const archive = new Archive(await makeArchive(["amd64"]));
  const [named, ...more] = archive.json("index.json").manifests;
  assert.deepEqual(more, []);
  assert.equal(named.annotations["io.containerd.image.name"], "example.org/x:1.2");
  assert.equal(named.annotations["org.opencontainers.image.ref.name"], "1.2");
  const manifest = archive.described(named);
  const config = archive.described(manifest.config);
  assert.deepEqual(config.config, RUN);
  assert.equal(config.architecture, "amd64");
  const layers = manifest.layers.map((layer: { digest: string; size: number }) =>
    gunzipSync(archive.blob(layer))
  );
  assert.deepEqual(config.rootfs.diff_ids, layers.map(sha256));
  assert.equal(archive.json("oci-layout").imageLayoutVersion, "1.0.0");
});

Deno.test("imageArchive() has the index of older Docker for one architecture", async () => {
  const archive = new Archive(await makeArchive(["arm64"]));
  const [image, ...more] = archive.json("manifest.json");
  assert.deepEqual(more, []);
  assert.deepEqual(image.RepoTags, ["example.org/x:1.2"]);
  assert.equal(archive.json(image.Config).architecture, "arm64");
  assert.equal(image.Layers.length, 2);
  for (const path of image.Layers) archive.bytes(path);
});

Deno.test("imageArchive() puts architectures under one name", async () => {
  const archive = new Archive(await makeArchive(["amd64", "arm64"]));
  const [named, ...more] = archive.json("index.json").manifests;
  assert.deepEqual(more, []);
  const found = archive.described(named).manifests.map((each: { platform: unknown }) => (
    each.platform
  ));
  assert.deepEqual(found, [
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux" },
  ]);
  assert.ok(!archive.files.has("manifest.json"));
  assert.equal(archive.files.size, 2 + 1 + 2 * 3 + 1, "the layer that both have is there once");
});
