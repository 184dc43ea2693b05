/** `k8slan version` */

import { version } from "../version.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";

export interface VersionOptions {
  readonly output: "text" | "json";
}

export function printVersion({ output }: VersionOptions, host: CliHost): Promise<number> {
  const { deno } = Deno.version;
  const { target } = Deno.build;
  host.out(
    output === "json"
      ? `${JSON.stringify({ version, deno, target }, null, 2)}\n`
      : `k8slan ${version} (deno ${deno}, ${target})\n`,
  );
  return Promise.resolve(ExitCode.Ok);
}
