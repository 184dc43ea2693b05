import { deepStrictEqual } from "node:assert/strict";
import { parseHierarchies } from "./cgroups.ts";

const MACHINES = {
  "version 1, some controllers together": {
    mountinfo: `
24 1 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw
25 24 0:22 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct
26 24 0:22 / /sys/fs/cgroup/again rw - cgroup cgroup rw,cpu,cpuacct
27 24 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
28 24 0:24 / /sys/fs/cgroupish rw - cgroup cgroup rw,pids
29 24 0:25 / /elsewhere/sys/fs/cgroup rw - cgroup cgroup rw,memory`,
    hierarchies: ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified"],
  },
  "version 2": {
    mountinfo: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
    hierarchies: ["/sys/fs/cgroup"],
  },
};

for (const [machine, { mountinfo, hierarchies }] of Object.entries(MACHINES)) {
  Deno.test(`parseHierarchies() finds each hierarchy once: ${machine}`, () => {
    deepStrictEqual(parseHierarchies(mountinfo), hierarchies);
  });
}
