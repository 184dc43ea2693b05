/**
 * Images as archives that `ctr`, `docker`, `podman` and `skopeo` read: the layout of the OCI Image
 * Format Specification 1.1, beside it for one architecture the index that older Docker looks for.
 * The same content gives the same bytes.
 */

import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type ArchiveEntry, type ArchiveFile, tarArchive } from "./build_archive.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** How containers of an image start, as the specification's `config` spells it. */
export interface RunConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image for one architecture: its blobs, and what refers to them. */
export interface Image {
  readonly architecture: string;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly blobs: readonly ArchiveFile[];
}

/** The image with `layers`, lowest first. */
export async function makeImage(
  architecture: string,
  layers: readonly (readonly ArchiveEntry[])[],
  config: RunConfig,
): Promise<Image> {
  const blobs: ArchiveFile[] = [];
  const add = async (mediaType: string, bytes: Uint8Array<ArrayBuffer>): Promise<Descriptor> => {
    const hash = await sha256(bytes);
    blobs.push({ path: blobPath(hash), mode: 0o644, bytes });
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const diffIds: string[] = [];
  const packed: Descriptor[] = [];
  for (const entries of layers) {
    const tar = new Uint8Array(await new Blob(tarArchive(entries)).arrayBuffer());
    diffIds.push(`sha256:${await sha256(tar)}`);
    packed.push(await add(LAYER, new Uint8Array(await promisify(gzip)(tar))));
  }
  const described = await add(
    CONFIG,
    json({
      architecture,
      os: "linux",
      ...(architecture === "arm64" ? { variant: "v8" } : {}),
      created: "1970-01-01T00:00:00Z",
      config,
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
  );
  const manifest = await add(
    MANIFEST,
    json({ schemaVersion: 2, mediaType: MANIFEST, config: described, layers: packed }),
  );
  return { architecture, manifest, config: described, layers: packed, blobs };
}

/** The archive of one image, or of one image for several architectures, in pieces. */
export async function imageArchive(
  name: string,
  images: readonly Image[],
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const blobs = new Map(images.flatMap((image) => image.blobs.map((blob) => [blob.path, blob])));
  const manifests = images.map(({ manifest, architecture }) => (
    { ...manifest, platform: { architecture, os: "linux" } }
  ));
  const files: ArchiveFile[] = [];
  let [named] = manifests as readonly (Descriptor | undefined)[];
  if (manifests.length > 1) {
    const bytes = json({ schemaVersion: 2, mediaType: INDEX, manifests });
    const hash = await sha256(bytes);
    blobs.set(blobPath(hash), { path: blobPath(hash), mode: 0o644, bytes });
    named = { mediaType: INDEX, digest: `sha256:${hash}`, size: bytes.length };
  }
  const annotations = {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
  };
  const index = {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [{ ...named, annotations }],
  };
  files.push(
    { path: "oci-layout", mode: 0o644, bytes: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, bytes: json(index) },
  );
  const [image] = images;
  if (images.length === 1 && image !== undefined) {
    const path = ({ digest }: Descriptor) => blobPath(digest.slice("sha256:".length));
    const Layers = image.layers.map(path);
    const bytes = json([{ Config: path(image.config), RepoTags: [name], Layers }]);
    files.push({ path: "manifest.json", mode: 0o644, bytes });
  }
  const folders = [{ path: "blobs", mode: 0o755 }, { path: "blobs/sha256", mode: 0o755 }];
  return tarArchive([...folders, ...files, ...blobs.values()]);
}

function blobPath(hash: string): string {
  return `blobs/sha256/${hash}`;
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
