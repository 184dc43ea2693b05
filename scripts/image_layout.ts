/** What k8slan's image promises, whichever way it is made: Dockerfile repeats it, and a test compares. */

import { version } from "../src/version.ts";

/** Everything of ours in the image. */
const FOLDER = "/opt/k8slan";

/** The program, in either form: arguments are all that a manifest has to give. */
export const ENTRYPOINT = `${FOLDER}/k8slan`;

/**
 * What the agent installs on its host as CNI plugin and command line: a file, or a folder whose
 * files in the order of their names, one after the other, are that file.
 */
export const HOST_EXECUTABLE = `${FOLDER}/host`;

export const IMAGE_NAME = `k8slan.io/k8slan:${version}`;

/** The agent needs root; everything else runs as any user. */
export const USER = "0";

export const ENV: Readonly<Record<string, string>> = {
  PATH: FOLDER,
  K8SLAN_EXECUTABLE: HOST_EXECUTABLE,
  // Nothing is ever written: not even root can make a folder there.
  DENO_DIR: "/dev/null/deno",
  DENO_NO_PACKAGE_JSON: "1",
  DENO_NO_PROMPT: "1",
  DENO_NO_UPDATE_CHECK: "1",
  // Long-lived and mostly idle: a small nursery for V8, and a C library that gives memory back.
  DENO_V8_FLAGS: "--max-semi-space-size=1",
  MALLOC_ARENA_MAX: "2",
  MALLOC_TRIM_THRESHOLD_: "131072",
  // As in any image: who mounts authorities of their own finds them trusted.
  DENO_TLS_CA_STORE: "system",
};

export const LABELS: Readonly<Record<string, string>> = {
  "org.opencontainers.image.title": "k8slan",
  "org.opencontainers.image.description":
    "Private Ethernet LANs for pods and virtual machines across the nodes of a Kubernetes cluster",
  "org.opencontainers.image.licenses": "Apache-2.0",
  "org.opencontainers.image.source": "https://github.com/k8slan/k8slan",
  "org.opencontainers.image.version": version,
};

/** An architecture by its name in `uname -m`, with the names others have for it. */
export interface ImageTarget {
  readonly machine: "x86_64" | "aarch64";
  /** In images and Debian's packages. */
  readonly architecture: "amd64" | "arm64";
  /** The folder of libraries below /usr/lib. */
  readonly libraries: string;
  /** The dynamic loader: where programs look for it, and its file among the libraries. */
  readonly loader: { readonly path: string; readonly file: string };
}

export const IMAGE_TARGETS: readonly ImageTarget[] = [
  {
    machine: "x86_64",
    architecture: "amd64",
    libraries: "x86_64-linux-gnu",
    loader: { path: "usr/lib64/ld-linux-x86-64.so.2", file: "ld-linux-x86-64.so.2" },
  },
  {
    machine: "aarch64",
    architecture: "arm64",
    libraries: "aarch64-linux-gnu",
    loader: { path: "usr/lib/ld-linux-aarch64.so.1", file: "ld-linux-aarch64.so.1" },
  },
];
