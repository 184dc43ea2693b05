/**
 * Writes the generated files in crds, deploy and docs; with `--check` only compares. With `--image`,
 * `--namespace` or `--cert-manager` it prints a manifest that differs in these instead, with
 * `--pod-webhook` that of the webhook for pods.
 *
 *     deno task gen [--check]
 *     deno task gen --image registry.example/k8slan:dev --namespace lans >k8slan.yaml
 *     deno task gen --pod-webhook --namespace lans >k8slan-pod-webhook.yaml
 */

import { parseArgs } from "node:util";
import { expectedOf } from "../tests/support/compatibility/expectations.ts";
import { renderCompatibility } from "./compatibility_document.ts";
import { CRD_FILES, renderCrd } from "./gen_crds.ts";
import { DEFAULT_OPTIONS } from "./manifests/common.ts";
import { MANIFEST_FILES, renderManifest, renderPodWebhook } from "./manifests/manifest.ts";

const ROOT = new URL("..", import.meta.url);

/** Each generated file, and what makes its text. */
const FILES: readonly (readonly [file: URL, render: () => string])[] = [
  ...CRD_FILES.map(([file, crd]) => [file, () => renderCrd(crd)] as const),
  ...MANIFEST_FILES.map(([name, render]) => [new URL(name, ROOT), render] as const),
  // As the kernel tests find it: they compare what they measure with the same expectations.
  [new URL("docs/compatibility.md", ROOT), () => renderCompatibility(expectedOf)],
];

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      check: { type: "boolean" },
      image: { type: "string" },
      namespace: { type: "string" },
      "cert-manager": { type: "boolean" },
      "pod-webhook": { type: "boolean" },
    },
  });
  const { image, namespace, "cert-manager": certManager = false } = values;
  const { "pod-webhook": podWebhook = false } = values;
  if (certManager || podWebhook || image !== undefined || namespace !== undefined) {
    const options = {
      image: image ?? DEFAULT_OPTIONS.image,
      namespace: namespace ?? DEFAULT_OPTIONS.namespace,
    };
    const render = podWebhook ? renderPodWebhook : renderManifest;
    await say(Deno.stdout, render(options, certManager ? "cert-manager" : "own"));
    return 0;
  }
  for (const [file, render] of FILES) {
    const wanted = render();
    if (await stored(file) === wanted) continue;
    if (values.check === true) {
      const name = file.pathname.slice(ROOT.pathname.length);
      await say(Deno.stderr, `${name} differs from its source; mend it with: deno task gen\n`);
      return 1;
    }
    await Deno.writeTextFile(file, wanted);
  }
  return 0;
}

async function stored(file: URL): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function say(to: { write(bytes: Uint8Array): Promise<number> }, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
