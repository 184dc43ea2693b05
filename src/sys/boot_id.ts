/** Which run of the kernel this is. */

let id: string | undefined;

/** Another text after every boot (random(4)); empty where the kernel does not tell. */
export function bootId(): string {
  return id ??= read();
}

function read(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return "";
  }
}
