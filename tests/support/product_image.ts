/** The product's image, as `scripts/image` makes it. */

import { IMAGE_NAME } from "../../scripts/image_layout.ts";
import type { TestCluster } from "./cluster.ts";
import { runProgram } from "./lab_process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const ARCHIVE = `${ROOT}dist/k8slan-image.tar`;

/** Makes the image if the sources have changed, and gives it to every node. */
export async function loadProductImage(cluster: TestCluster): Promise<void> {
  await runProgram([`${ROOT}scripts/image`, "--output", ARCHIVE]);
  const names = await cluster.loadImage(ARCHIVE);
  if (!names.includes(IMAGE_NAME)) {
    throw new Error(`"${ARCHIVE}" holds ${names.join(", ") || "nothing"}, not "${IMAGE_NAME}"`);
  }
}
