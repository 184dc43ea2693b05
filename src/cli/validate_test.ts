import { deepEqual, equal, match } from "node:assert/strict";
import { cliRun, README_LAN } from "../../tests/support/cli_run.ts";

const OTHER = README_LAN.replace("lan-test", "other").replace("knlvrf", "other")
  .replace("222", "333").replace("pod1", "pod3").replace("pod2", "pod4");

Deno.test("validate() finds the README's LAN valid", async () => {
  const run = await cliRun(["validate", "-f", "-"], { stdin: README_LAN });
  deepEqual(run, { code: 0, out: "1 LAN is valid\n", err: "" });
});

Deno.test("validate() names every fault of every document, with its line", async () => {
  const bad = OTHER.replace("333", "0").replace("bridge: br2", "bridge: a-very-long-name");
  const stdin = [README_LAN, bad, "kind: Pod\n"].join("---\n");
  const { code, out, err } = await cliRun(["validate", "-f", "-"], { stdin });
  deepEqual([code, err], [1, ""]);
  equal(
    out,
    'stdin:26: spec.bridge must be 1 to 13 letters, digits, "-" or "_", with a letter or digit' +
      ' first, found "a-very-long-name"\n' +
      "stdin:28: spec.vni must be at least 1, found 0\n" +
      "stdin:37: apiVersion is required\n" +
      'stdin:37: kind must be "LAN", found "Pod"\n' +
      "1 of 3 LANs is valid\n",
  );
});

Deno.test("validate() names what two LANs cannot both have, and the loser's line", async () => {
  const stdin = [README_LAN, OTHER.replace("pod3", "pod2")].join("---\n");
  const { code, out } = await cliRun(["validate", "-f", "-"], { stdin });
  equal(code, 1);
  match(out, /^stdin:\d+: spec.spokes\[0\] "pod2" belongs to LAN "k8slan-system\/lan-test", .*\n/);
  match(out, /\n1 of 2 LANs is valid\n$/);
});

Deno.test("validate() names a LAN that stands twice", async () => {
  const stdin = [README_LAN, README_LAN].join("---\n");
  const { code, out } = await cliRun(["validate", "-f", "-"], { stdin });
  equal(code, 1);
  equal(
    out,
    'stdin:19: metadata.name "lan-test" is also the name of the LAN at stdin:1; ' +
      "rename or remove one of them\n1 of 2 LANs is valid\n",
  );
});

Deno.test("validate() gives programs all of it", async () => {
  const stdin = [README_LAN, OTHER.replace("333", "222")].join("---\n");
  const { code, out } = await cliRun(["validate", "-o", "json", "-f", "-"], { stdin });
  equal(code, 1);
  const { valid, lans, issues } = JSON.parse(out);
  equal(valid, false);
  deepEqual(lans, [{ lan: "k8slan-system/lan-test", source: "stdin", document: 1, line: 1 }]);
  equal(issues.length, 1);
  deepEqual([issues[0].document, issues[0].path], [2, "spec.vni"]);
});

Deno.test("validate() reads the files of a folder that the agent would read", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${dir}/b.yml`, README_LAN);
    Deno.writeTextFileSync(`${dir}/a.yaml`, OTHER);
    for (const name of [".c.yaml", "README.md", "d.yaml~"]) {
      Deno.writeTextFileSync(`${dir}/${name}`, "not a LAN");
    }
    equal((await cliRun(["validate", "-f", `${dir}/`])).out, "2 LANs are valid\n");
    equal((await cliRun(["validate", "-f", `${dir}/a.yaml`, dir])).code, 0);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("validate() says that it cannot read a file", async () => {
  const { code, out, err } = await cliRun(["validate", "-f", "/nonexistent.yaml"]);
  deepEqual([code, out], [1, ""]);
  equal(err, 'k8slan: Cannot read "/nonexistent.yaml": No such file or directory (os error 2)\n');
});

Deno.test("validate() fails where there is no LAN", async () => {
  const { code, err } = await cliRun(["validate", "-f", "-"], { stdin: "# nothing\n" });
  deepEqual([code, err], [1, 'k8slan: There is no LAN in "-"\n']);
});
