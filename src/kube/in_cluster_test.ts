import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { inClusterAccess } from "./in_cluster.ts";

function serviceAccount(): TempDir {
  const dir = new TempDir();
  for (
    const [name, text] of [["token", "t1\n"], ["ca.crt", "CA1"], ["namespace", "k8slan-system"]]
  ) {
    Deno.writeTextFileSync(`${dir.path}/${name}`, text!);
  }
  return dir;
}

Deno.test("inClusterAccess() says where, who and whom to trust", async () => {
  using dir = serviceAccount();
  const access = inClusterAccess({ host: "10.96.0.1", port: "443", dir: dir.path });
  equal(access.server, "https://10.96.0.1:443");
  equal(access.namespace, "k8slan-system");
  deepEqual(await access.credentials(), { authorization: "Bearer t1", caCerts: ["CA1"] });
});

Deno.test("inClusterAccess() writes an IPv6 address as URLs do", () => {
  using dir = serviceAccount();
  const { server } = inClusterAccess({ host: "fd00::1", port: "6443", dir: dir.path });
  equal(server, "https://[fd00::1]:6443");
});

Deno.test("inClusterAccess() reads a token that was replaced, in time or when asked", async () => {
  using dir = serviceAccount();
  const clock = new FakeClock();
  const access = inClusterAccess({ host: "h", port: "443", dir: dir.path, clock });
  const token = async () => (await access.credentials()).authorization;
  equal(await token(), "Bearer t1");
  Deno.writeTextFileSync(`${dir.path}/token`, "t2");
  await clock.advance(29_000);
  equal(await token(), "Bearer t1");
  await clock.advance(1_000);
  equal(await token(), "Bearer t2");
  Deno.writeTextFileSync(`${dir.path}/token`, "t3");
  access.forget();
  equal(await token(), "Bearer t3");
});

Deno.test("inClusterAccess() goes on with what it has while a file is being replaced", async () => {
  using dir = serviceAccount();
  const access = inClusterAccess({ host: "h", port: "443", dir: dir.path });
  await access.credentials();
  Deno.removeSync(`${dir.path}/token`);
  Deno.writeTextFileSync(`${dir.path}/ca.crt`, "");
  access.forget();
  deepEqual(await access.credentials(), { authorization: "Bearer t1", caCerts: ["CA1"] });
});

Deno.test("inClusterAccess() names the file that is missing", async () => {
  using dir = serviceAccount();
  const place = { host: "h", port: "443", dir: dir.path };
  const access = inClusterAccess(place);
  Deno.removeSync(`${dir.path}/token`);
  await rejects(access.credentials(), /token"$/);
  Deno.removeSync(`${dir.path}/namespace`);
  throws(() => inClusterAccess(place), { code: "NoCredentials" });
  throws(() => inClusterAccess({ ...place, port: "tcp://1.2.3.4" }), { code: "NoCredentials" });
});
