/** The official multus: given by hand, downloaded once, or not to be had. */

import { createHash } from "node:crypto";
import { runProgram } from "../../tests/support/lab_process.ts";
import { withFileLock } from "./file_lock.ts";
import { isFile, type Say } from "./tools.ts";

const VERSION = "4.3.0";
const SITE = `https://github.com/k8snetworkplumbingwg/multus-cni/releases/download/v${VERSION}`;

/** Path of the program `multus`, or undefined when its site is out of reach. */
export async function findMultus(tools: string, say: Say): Promise<string | undefined> {
  const given = Deno.env.get("MULTUS_BIN");
  if (given) {
    if (await isFile(given)) return await Deno.realPath(given);
    throw new Error(`MULTUS_BIN is "${given}", which is no file`);
  }
  const path = `${tools}/multus-${VERSION}-${Deno.build.arch}`;
  if (await isFile(path)) return path;
  return await withFileLock(`${path}.lock`, async () => {
    const checksums = await get("checksums.txt", AbortSignal.timeout(3_000)).catch(() => undefined);
    if (checksums === undefined) return undefined;
    say(`Downloading multus ${VERSION} into ${path}`);
    await download(path, new TextDecoder().decode(checksums));
    return path;
  });
}

async function download(path: string, checksums: string): Promise<void> {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const folder = `multus-cni_${VERSION}_linux_${arch}`;
  const archive = await get(`${folder}.tar.gz`);
  const digest = createHash("sha256").update(archive).digest("hex");
  if (!checksums.split("\n").some((line) => line === `${digest}  ${folder}.tar.gz`)) {
    throw new Error(
      `"${SITE}/${folder}.tar.gz" has SHA-256 "${digest}", which is not the listed one`,
    );
  }
  const work = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${work}/archive`, archive);
    await runProgram(["tar", "-xzf", `${work}/archive`, "-C", work, `${folder}/multus`]);
    await Deno.copyFile(`${work}/${folder}/multus`, `${path}.part`);
    await Deno.chmod(`${path}.part`, 0o755);
    await Deno.rename(`${path}.part`, path);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function get(file: string, signal?: AbortSignal): Promise<Uint8Array> {
  const answer = await fetch(`${SITE}/${file}`, signal === undefined ? {} : { signal });
  if (!answer.ok) throw new Error(`"${SITE}/${file}" answers ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
