import assert from "node:assert/strict";
import { isSeenByOthers, readInitialMounts } from "./mount_propagation.ts";

const MOUNTS = [
  "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw",
  "23 22 0:5 / /run rw,nosuid shared:5 - tmpfs tmpfs rw",
  "24 23 0:6 / /run/k8slan rw - tmpfs tmpfs rw",
  "25 22 0:7 / /srv/with\\040blank rw master:3 - tmpfs tmpfs rw",
  "26 22 0:8 / /opt rw - tmpfs tmpfs rw",
  "27 22 0:9 / /opt rw shared:9 - tmpfs tmpfs rw",
  "",
].join("\n");

const CASES: readonly [path: string, shared: boolean, why: string][] = [
  ["/var/lib", true, "the root mount is shared"],
  ["/run/other", true, "its own mount is shared"],
  ["/run/k8slan", false, "the innermost mount counts"],
  ["/run/k8slan/netns", false, "and what is below it"],
  ["/run/k8slan-else", true, "a name that merely begins alike is elsewhere"],
  ["/srv/with blank/x", false, "receiving mounts is not sharing them"],
  ["/opt/x", true, "of two mounts on one point the later covers the other"],
];

for (const [path, shared, why] of CASES) {
  Deno.test(`isSeenByOthers() says ${shared} of "${path}": ${why}`, () => {
    assert.equal(isSeenByOthers(MOUNTS, "", path), shared);
  });
}

Deno.test("isSeenByOthers() takes a private mount that the first process has too", () => {
  assert.equal(
    isSeenByOthers(MOUNTS, "24 23 0:6 / /run/k8slan rw - tmpfs tmpfs rw\n", "/run/k8slan"),
    true,
  );
  assert.equal(
    isSeenByOthers(MOUNTS, "99 23 0:6 / /run/k8slan rw - tmpfs tmpfs rw\n", "/run/k8slan"),
    false,
  );
});

Deno.test("readInitialMounts() gives nothing to the first process itself, as in a container", () => {
  assert.equal(readInitialMounts(1), "");
});
