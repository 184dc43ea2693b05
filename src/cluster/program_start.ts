/** Starts an unpacked program as scripts/build_launcher.sh does. */

import { describe } from "../base/errors.ts";

/** Every start of the program gets these. */
export const RUN_FLAGS: readonly string[] = [
  "--no-config",
  "--no-lock",
  "--cached-only",
  "--no-prompt",
  "--unstable-net",
  "-A",
];

const LIMIT_MS = 30_000;

/**
 * Starts it as CNI plugin: Deno makes its caches then, which takes longer than all the rest of a
 * call. Returns why it can't be started; undefined if it can, and if it took too long.
 */
export async function startOnce(dir: string): Promise<string | undefined> {
  try {
    const { success, signal, stderr } = await new Deno.Command(`${dir}/k8slan`, {
      args: ["run", ...RUN_FLAGS, `${dir}/app/main.js`],
      clearEnv: true,
      env: {
        DENO_DIR: `${dir}/deno-dir`,
        DENO_NO_PACKAGE_JSON: "1",
        DENO_NO_UPDATE_CHECK: "1",
        CNI_COMMAND: "VERSION",
      },
      stdin: "null",
      stdout: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    }).output();
    if (success || signal !== null) return undefined;
    return new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return describe(error);
  }
}
