/** scripts/demo, as someone runs it who has just cloned the repository. */

import assert from "node:assert/strict";
import { LabProcess, runProgram } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import { TempDir } from "../support/temp_dir.ts";

const DEMO = new URL("../../scripts/demo", import.meta.url).pathname;

rootTest("demo shows every part at work, then leaves nothing", async () => {
  const links = await hostLinks();
  await using demo = new LabProcess([DEMO]);
  assert.equal((await demo.ended).code, 0, demo.output);
  for (const expected of ESSENTIALS) assert.match(demo.stdout, expected);
  assert.equal(demo.stdout.includes("\x1b"), false, "there are colours without a terminal");
  assert.deepEqual(await leftovers(demo), []);
  assert.deepEqual(await hostLinks(), links);
});

const ESSENTIALS = [
  /^ +worker3 +eth0\.10 /m,
  /^ +vni: 222$/m,
  /lan-test +222 +Idle +eth1 /,
  /lan-test +222 +Active +eth1 /,
  /lan-test +222 +Active +eth2 /,
  /lan-test +222 +Active +eth0\.10 /,
  /^ +web +worker2 +- +veth +10\.222\.0\.4 /m,
  /^ +vx2 +vxlan +VNI 222 over eth2, multicast group ff02::14$/m,
  /^ +ok +12 of 12 pairs answer/m,
  /^ +ok +pod2 on worker2 has received it: 61 bytes, none changed$/m,
  /^ +ok +pod3 on worker3 has received it: 61 bytes, none changed$/m,
  /^ +ok +web on worker2 has received it: 61 bytes, none changed$/m,
  /message too long, mtu=1426/,
  /^ +ok +1426 bytes pass/m,
  /^ +\/dev\/tap\d+ +107:107 +net1 of pod3 on worker3$/m,
  /^ +ok +no device is left of \/dev\/tap\d+/m,
];

rootTest("demo --keep leaves all of it running, demo --clean removes it", async () => {
  await using _cleaner = cleaner();
  await using kept = new LabProcess([DEMO, "--keep"]);
  assert.equal((await kept.ended).code, 0, kept.output);
  const left = await leftovers(kept);
  const count = (kind: string) => left.filter((thing) => thing.startsWith(kind)).length;
  assert.deepEqual(
    ["namespace", "process", "tap", "folder"].map(count),
    [8, 3, 3, 1],
    left.join("\n"),
  );
  await using clean = new LabProcess([DEMO, "--clean"]);
  assert.equal((await clean.ended).code, 0, clean.output);
  assert.match(clean.stdout, /Removed what an earlier demo had left/);
  assert.deepEqual(await leftovers(kept), []);
});

rootTest("demo removes what it has made when it is interrupted", async () => {
  await using _cleaner = cleaner();
  using dir = new TempDir();
  // Or it might come to its end before it is interrupted.
  Deno.writeTextFileSync(`${dir.path}/ping`, "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  const env = { PATH: `${dir.path}:${Deno.env.get("PATH")}` };
  await using demo = new LabProcess([DEMO], { env });
  await demo.waitFor(/Everyone reaches everyone/, PATIENCE_MS);
  demo.kill("SIGINT");
  assert.equal((await demo.ended).code, 130, demo.output);
  assert.match(demo.stderr, /Interrupted by SIGINT\n.*What it had made is removed/);
  assert.deepEqual(await leftovers(demo), []);
});

rootTest("demo runs alone, and removes what a crash has left", async () => {
  await using _cleaner = cleaner();
  await using crashing = new LabProcess([DEMO]);
  await crashing.waitFor(/Everyone reaches everyone/, PATIENCE_MS);
  // Or it might come to its end before the next one has begun.
  crashing.kill("SIGSTOP");
  await using second = new LabProcess([DEMO, "--clean"]);
  assert.equal((await second.ended).code, 1, second.output);
  assert.match(second.stderr, /Another demo is running/);
  crashing.kill("SIGKILL");
  await crashing.ended;
  assert.notDeepEqual(await leftovers(crashing), []);
  await using next = new LabProcess([DEMO]);
  assert.equal((await next.ended).code, 0, next.output);
  assert.match(next.stdout, /Removed what an earlier demo had left/);
  assert.deepEqual(await leftovers(crashing), []);
  assert.deepEqual(await leftovers(next), []);
});

rootTest("demo says so when it is not started by root", async () => {
  // In a user namespace without a mapping everybody is nobody.
  await using demo = new LabProcess(["unshare", "--user", DEMO, "--keep"]);
  assert.equal((await demo.ended).code, 1, demo.output);
  assert.match(demo.stderr, /root is needed.*sudo scripts\/demo --keep$/m);
});

/** Until a chapter has come, with whatever has to be built before. */
const PATIENCE_MS = 120_000;

/** Removes what a failed test would leave. */
function cleaner(): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await using clean = new LabProcess([DEMO, "--clean"]);
      await clean.ended;
    },
  };
}

/** Everything on this machine that bears the demo's name, and the devices that `demo` spoke of. */
async function leftovers(demo: LabProcess): Promise<string[]> {
  const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n");
  const taps = new Set(demo.stdout.match(/\/dev\/tap\d+/g));
  return [
    ...(await names("/run/netns")).filter(isDemos).map((name) => `namespace ${name}`),
    ...mounts.filter(isDemos).map((line) => `mount ${line}`),
    ...(await processes()).filter(isDemos).map((command) => `process ${command}`),
    ...[...taps].filter(exists).map((path) => `tap ${path}`),
    ...(await names("/run")).filter(isDemos).map((name) => `folder ${name}`),
  ];
}

function isDemos(text: string): boolean {
  return text.includes("k8slan-demo");
}

async function names(folder: string): Promise<string[]> {
  if (!exists(folder)) return [];
  return await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
}

/** Command lines of everything that runs. */
async function processes(): Promise<string[]> {
  const pids = (await names("/proc")).filter((name) => /^\d+$/.test(name));
  return await Promise.all(pids.map(async (pid) => {
    return await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => ""); // it ended
  }));
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function hostLinks(): Promise<readonly string[]> {
  return JSON.parse(await runProgram(["ip", "-j", "link"]))
    .map(({ ifname }: { readonly ifname: string }) => ifname);
}
