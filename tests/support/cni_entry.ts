/** The CNI role as a program of its own, for tests that need a real process. */

import { cniMain } from "../../src/cni/main.ts";

Deno.exit(await cniMain());
