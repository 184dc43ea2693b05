/** docs/compatibility.md, cell by cell, with real frames. */

import assert from "node:assert/strict";
import { deviations, expectedOf } from "../support/compatibility/expectations.ts";
import { measureAll } from "../support/compatibility/measure.ts";
import { CompatibilityStage } from "../support/compatibility/stage.ts";
import { addressed, prepareLan } from "../support/lan_stage.ts";
import { lanTest } from "../support/lan_features.ts";

lanTest("docs/compatibility.md says what becomes of every kind of frame", async () => {
  await using stage = await CompatibilityStage.prepare();
  assert.deepEqual(deviations(await measureAll(stage, expectedOf)), []);
});

lanTest("a macvtap cannot be a port of a bridge in its pod", async () => {
  await using stage = await prepareLan();
  const { lab, node } = stage;
  const pod = await addressed(lab, node, "pod1", 1);
  await pod.run(["ip", "link", "add", "name", "bridge0", "type", "bridge"]);
  await assert.rejects(pod.run(["ip", "link", "set", "net1", "master", "bridge0"]));
});
