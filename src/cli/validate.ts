/** `k8slan validate`: everything that is wrong with LAN files. */

import { describeFileIssue } from "../api/lan_yaml.ts";
import { lanName } from "../plan/lan_plan.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import { type LanFiles, readLanFiles } from "./lan_files.ts";

export interface ValidateOptions {
  readonly file: readonly string[];
  readonly output: "text" | "json";
}

/** Prints the faults, which are what was asked for, on standard output. */
export async function validate(options: ValidateOptions, host: CliHost): Promise<number> {
  const files = await readLanFiles(options.file, host);
  host.out(options.output === "json" ? jsonOf(files) : textOf(files));
  return files.issues.length === 0 ? ExitCode.Ok : ExitCode.Failed;
}

function textOf(files: LanFiles): string {
  const lines = files.issues.map((issue) => `${describeFileIssue(issue)}\n`);
  const good = files.lans.filter(({ accepted }) => accepted).length;
  const all = files.count;
  const summary = good === all
    ? all === 1 ? "1 LAN is valid" : `${all} LANs are valid`
    : `${good} of ${all} ${all === 1 ? "LAN" : "LANs"} ${good === 1 ? "is" : "are"} valid`;
  return `${lines.join("")}${summary}\n`;
}

function jsonOf({ lans, issues }: LanFiles): string {
  const valid = lans.filter(({ accepted }) => accepted);
  return `${
    JSON.stringify(
      {
        valid: issues.length === 0,
        lans: valid.map(({ lan, place }) => ({ lan: lanName(lan), ...place })),
        issues,
      },
      null,
      2,
    )
  }\n`;
}
