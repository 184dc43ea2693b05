/** Memory of this process. */

import { libc } from "./libc.ts";

/** Gives what the C library keeps for later use back to the kernel (malloc_trim(3)). */
export function trimMemory(): void {
  libc().malloc_trim(0n);
}
