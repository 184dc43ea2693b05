/** What figures depend on beside the program. */

import { EXECUTABLE } from "./bench.ts";

/** Names and values, for people. */
export async function machine(): Promise<(readonly [string, string])[]> {
  return [
    ["date", new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC"],
    ["kernel", `${Deno.osRelease()}, ${Deno.build.arch}`],
    ["cores", `${navigator.hardwareConcurrency}, ${cpuModel()}`],
    ["Deno", Deno.version.deno],
    ["dist/k8slan", await form()],
    ["load average before", loadAverage()],
  ];
}

/** Runnable processes over the last 1, 5 and 15 minutes; the bench's own are among them. */
export function loadAverage(): string {
  return Deno.loadavg().map((load) => load.toFixed(2)).join(", ");
}

function cpuModel(): string {
  const info = Deno.readTextFileSync("/proc/cpuinfo");
  return /^model name\s*: (.*)$/m.exec(info)?.[1] ?? "of a kind that does not say its name";
}

/** Which of its two forms scripts/build has made. */
async function form(): Promise<string> {
  using file = await Deno.open(EXECUTABLE);
  const start = new Uint8Array(2);
  await file.read(start);
  return new TextDecoder().decode(start) === "#!" ? "unpacking form" : "compiled form";
}
