/**
 * What everyone may rely on of a `Kernel`, as a table of behaviours. The real kernel and the fake
 * are both held to it, so that what tests find out with the fake is true.
 */

import { BUILDING } from "./contract/building.ts";
import { CLASHING } from "./contract/clashing.ts";
import { FILTERING } from "./contract/filtering.ts";
import { MENDING } from "./contract/mending.ts";
import { NAMESPACES } from "./contract/namespaces.ts";
import { PEERS } from "./contract/peers.ts";
import { REMOVING } from "./contract/removing.ts";
import { UNDERLAYS } from "./contract/underlays.ts";
import type { Behaviour } from "./contract/world.ts";

export const KERNEL_CONTRACT: readonly Behaviour[] = [
  ...BUILDING,
  ...MENDING,
  ...UNDERLAYS,
  ...PEERS,
  ...FILTERING,
  ...REMOVING,
  ...CLASHING,
  ...NAMESPACES,
];
