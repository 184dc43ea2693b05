import assert from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { isOurSocketName } from "../deviceplugin/resource_name.ts";
import { type CleanupPlaces, ownFiles, removeOwnFile } from "./cleanup_files.ts";

/** A node's folders with these files in them; `a -> b` is a link, a name that ends in "/" a folder. */
function place(dir: TempDir, files: readonly string[]): CleanupPlaces {
  for (const file of files) {
    const [name = "", target] = file.split(" -> ");
    const path = `${dir.path}/${name}`;
    Deno.mkdirSync(name.endsWith("/") ? path : path.slice(0, path.lastIndexOf("/")), {
      recursive: true,
    });
    if (target !== undefined) Deno.symlinkSync(target, path);
    else if (!name.endsWith("/")) Deno.writeTextFileSync(path, name);
  }
  return {
    runDir: `${dir.path}/run`,
    stateDir: `${dir.path}/state`,
    cacheDir: `${dir.path}/cache`,
    cniBinDir: `${dir.path}/bin`,
    kubeletDir: `${dir.path}/kubelet`,
    hostRoot: "",
  };
}

function namesOf(dir: TempDir, places: CleanupPlaces, keep: { plugin?: true; run?: true } = {}) {
  const { own, kept } = ownFiles(places, {
    keepPlugin: keep.plugin === true,
    keepRunDir: keep.run === true,
  });
  const strip = (text: string) => text.replaceAll(`${dir.path}/`, "");
  return { own: own.map(({ path }) => strip(path)), kept: kept.map(strip) };
}

const OF_OURS = [
  "kubelet/device-plugins/k8slan-pod1.sock",
  "bin/k8slan",
  "bin/.k8slan.0d1f0a3e-1111-4222-8333-444455556666.tmp",
  "bin/macvtap -> k8slan",
  "run/agent.lock",
  "run/deletes/one",
  "run/netns/",
  "state/attachments/a.json",
  "state/program/11fe7ab527238b4a/k8slan",
  "cache/11fe7ab527238b4a/k8slan",
];

Deno.test("ownFiles() lists what is ours, and the program late", () => {
  using dir = new TempDir();
  const { own, kept } = namesOf(dir, place(dir, OF_OURS));
  assert.deepEqual(own, [
    "kubelet/device-plugins/k8slan-pod1.sock",
    "run/netns",
    "run/agent.lock",
    "run/deletes",
    "run",
    "state/attachments",
    "bin/.k8slan.0d1f0a3e-1111-4222-8333-444455556666.tmp",
    "bin/k8slan",
    "bin/macvtap",
    "state/program",
    "cache/11fe7ab527238b4a",
    "cache",
    "state",
  ]);
  assert.deepEqual(kept, []);
});

Deno.test("ownFiles() leaves to others what is theirs", () => {
  using dir = new TempDir();
  const places = place(dir, [
    ...["kubelet/device-plugins/kubelet.sock", "kubelet/device-plugins/kubevirt-kvm.sock"],
    ...["kubelet/device-plugins/kubelet_internal_checkpoint", "kubelet/pods/k8slan-x.sock"],
    ...["bin/bridge", "bin/macvtap", "bin/k8slan-other", "bin/.k8slan.tmp"],
  ]);
  assert.deepEqual(namesOf(dir, places), {
    own: [],
    kept: ['"bin/macvtap": it belongs to another program'],
  });
});

for (const target of ["../elsewhere/k8slan", "macvlan", "/opt/other/k8slan"]) {
  Deno.test(`ownFiles() leaves a link to "${target}" alone`, () => {
    using dir = new TempDir();
    const places = place(dir, ["bin/k8slan", `bin/macvtap -> ${target}`]);
    assert.deepEqual(namesOf(dir, places).own, ["bin/k8slan"]);
  });
}

Deno.test("ownFiles() keeps the plugin where workloads still need it", () => {
  using dir = new TempDir();
  const { own, kept } = namesOf(dir, place(dir, OF_OURS), { plugin: true });
  assert.deepEqual(own.filter((name) => /^(bin|cache)|program/.test(name)), []);
  assert.equal(kept.length, 6);
  assert.match(
    kept.join(),
    /"bin\/k8slan": workloads that were attached cannot end without it/,
  );
});

Deno.test("ownFiles() keeps the run directory when told to", () => {
  using dir = new TempDir();
  const { own } = namesOf(dir, place(dir, OF_OURS), { run: true });
  assert.deepEqual(own.filter((name) => name.startsWith("run")), []);
});

Deno.test("ownFiles() names the host's own folders below its root", () => {
  using dir = new TempDir();
  const places = place(dir, ["host/run/k8slan/", "host/state/taps.json"]);
  const { own } = ownFiles({
    ...places,
    runDir: "/run/k8slan-of-no-test",
    stateDir: "/state",
    cacheDir: "/cache",
    hostRoot: `${dir.path}/host`,
  }, { keepPlugin: false, keepRunDir: false });
  assert.deepEqual(own, [
    { path: `${dir.path}/host/state/taps.json`, kind: "tree" },
    { path: `${dir.path}/host/state`, kind: "folder" },
  ]);
});

Deno.test("removeOwnFile() removes all that ownFiles() lists, and what is gone already", () => {
  using dir = new TempDir();
  const places = place(dir, OF_OURS);
  for (let time = 0; time < 2; time++) {
    for (const file of ownFiles(places, { keepPlugin: false, keepRunDir: false }).own) {
      removeOwnFile(file);
      removeOwnFile(file);
    }
  }
  const left = Array.from(Deno.readDirSync(dir.path), ({ name }) => name).sort();
  assert.deepEqual(left, ["bin", "kubelet"]);
  assert.deepEqual([...Deno.readDirSync(`${dir.path}/bin`)], []);
});

Deno.test("ownFiles() takes a folder that somebody named by mistake for none of ours", () => {
  using dir = new TempDir();
  const precious = ["run/data", "state/home.tar", "cache/mail/new/1", "cache/.ssh/id"];
  const places = place(dir, [...OF_OURS, ...precious]);
  for (const file of ownFiles(places, { keepPlugin: false, keepRunDir: false }).own) {
    removeOwnFile(file);
  }
  for (const file of precious) assert.equal(Deno.readTextFileSync(`${dir.path}/${file}`), file);
});

Deno.test("removeOwnFile() removes no folder with something in it, unless it is ours as a whole", () => {
  using dir = new TempDir();
  place(dir, ["run/netns/foreign"]);
  const path = `${dir.path}/run/netns`;
  assert.match(removeOwnFile({ path, kind: "folder" }) ?? "", /something else/);
  assert.equal(Deno.readTextFileSync(`${path}/foreign`), "run/netns/foreign");
});

Deno.test("ownFiles() knows the same sockets as the device plugin", () => {
  using dir = new TempDir();
  const names = ["k8slan-a.sock", ".k8slan-a.sock", "k8slan.sock", "k8slan-a", "xk8slan-a.sock"];
  const folder = "kubelet/device-plugins";
  const { own } = namesOf(dir, place(dir, names.map((name) => `${folder}/${name}`)));
  const ours = names.filter(isOurSocketName).map((name) => `${folder}/${name}`);
  assert.deepEqual(own, ours.sort());
});
