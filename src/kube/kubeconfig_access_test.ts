import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { findKubeAccess } from "./find_access.ts";
import type { KubeAccess } from "./kube_access.ts";
import { kubeconfigAccess } from "./kubeconfig_access.ts";

class Folder extends TempDir {
  write(name: string, text: string, mode = 0o600): string {
    const path = `${this.path}/${name}`;
    Deno.writeTextFileSync(path, text, { mode });
    return path;
  }

  /** A kubeconfig, in YAML. */
  config(user: object, cluster: object = {}, name = "config"): string {
    return this.write(
      name,
      `# a comment
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]
clusters: [{name: k, cluster: ${JSON.stringify({ server: "https://192.0.2.1:6443", ...cluster })}}]
users: [{name: u, user: ${JSON.stringify(user)}}]
`,
    );
  }

  access(user: object, cluster: object = {}): Promise<KubeAccess> {
    return kubeconfigAccess([this.config(user, cluster)]);
  }
}

Deno.test("kubeconfigAccess() gives certificates and tokens, from the file or beside it", async () => {
  using dir = new Folder();
  for (const name of ["ca", "cert", "key", "token"]) dir.write(name, `${name}1\n`);
  const access = await dir.access(
    { "client-certificate": "cert", "client-key": "key", tokenFile: "token" },
    { "certificate-authority": "ca" },
  );
  deepEqual([access.server, access.namespace], ["https://192.0.2.1:6443", "n"]);
  deepEqual(await access.credentials(), {
    ...{ authorization: "Bearer token1", caCerts: ["ca1"] },
    client: { cert: "cert1", key: "key1" },
  });
  dir.write("token", "token2");
  access.forget();
  equal((await access.credentials()).authorization, "Bearer token2");
});

Deno.test("kubeconfigAccess() connects to the server but asks for another name", async () => {
  using dir = new Folder();
  const access = await dir.access({}, { "tls-server-name": "kubernetes" });
  equal(access.server, "https://kubernetes:6443");
  deepEqual(access.connectTo, { hostname: "192.0.2.1", port: 6443 });
});

Deno.test("kubeconfigAccess() gives a name and a password", async () => {
  using dir = new Folder();
  const access = await dir.access({ username: "a", password: "b" });
  equal((await access.credentials()).authorization, `Basic ${btoa("a:b")}`);
});

Deno.test("kubeconfigAccess() runs a plugin, and again when its token was refused", async () => {
  using dir = new Folder();
  const script = `#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" >>'${dir.path}/calls'
n=$(wc -l <'${dir.path}/calls')
echo "{\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"$1$n\\"}}"
`;
  dir.write("login", script, 0o700);
  const apiVersion = "client.authentication.k8s.io/v1";
  const access = await dir.access({ exec: { apiVersion, command: "./login", args: ["t"] } });
  for (let n = 0; n < 2; n++) {
    equal((await access.credentials()).authorization, "Bearer t1");
  }
  access.forget();
  equal((await access.credentials()).authorization, "Bearer t2");
  match(
    Deno.readTextFileSync(`${dir.path}/calls`),
    /"apiVersion":"client.authentication.k8s.io\/v1"/,
  );
});

Deno.test("kubeconfigAccess() takes a certificate from a plugin, and says when one fails", async () => {
  using dir = new Folder();
  const status = { clientCertificateData: "CERT", clientKeyData: "KEY" };
  const answer = JSON.stringify({ kind: "ExecCredential", status });
  dir.write("login", `#!/bin/sh\necho '${answer}'\n`, 0o700);
  const access = await dir.access({ exec: { command: "./login" } });
  deepEqual(await access.credentials(), { caCerts: [], client: { cert: "CERT", key: "KEY" } });
  dir.write("login", "#!/bin/sh\necho 'who are you?' >&2\nexit 1\n", 0o700);
  access.forget();
  await rejects(access.credentials(), { code: "NoCredentials", message: /user "u" failed$/ });
});

Deno.test("kubeconfigAccess() takes the token of an identity provider", async () => {
  using dir = new Folder();
  const claims = btoa(JSON.stringify({ exp: 4e9 })).replaceAll("=", "");
  const token = `${btoa('{"alg":"none"}')}.${claims}.x`;
  const access = await dir.access({
    "auth-provider": { name: "oidc", config: { "id-token": token, "client-id": "k" } },
  });
  equal((await access.credentials()).authorization, `Bearer ${token}`);
});

Deno.test("kubeconfigAccess() leaves out files that are missing, if not all are", async () => {
  using dir = new Folder();
  const path = dir.config({ token: "t" });
  equal((await kubeconfigAccess(["/nonexistent", path])).namespace, "n");
  await rejects(kubeconfigAccess(["/nonexistent"]), { code: "BadKubeconfig" });
  await rejects(kubeconfigAccess([dir.path]), {
    message: `Cannot read the kubeconfig "${dir.path}"`,
  });
  await rejects(kubeconfigAccess([dir.write("bad", "a: b: c")]), { message: /is no YAML$/ });
});

Deno.test("findKubeAccess() looks where kubectl looks", async () => {
  using dir = new Folder();
  const [one, two] = ["one", "two"].map((name) => {
    return dir.config({}, { server: `https://${name}` }, name);
  });
  Deno.mkdirSync(`${dir.path}/.kube`);
  dir.config({}, { server: "https://home" }, ".kube/config");
  const find = async (values: Record<string, string>, kubeconfig?: string) => {
    const all = { HOME: dir.path, ...values } as Record<string, string>;
    const env = (name: string) => all[name];
    const choice = kubeconfig === undefined ? { env } : { env, kubeconfig };
    return (await findKubeAccess(choice)).server;
  };
  equal(await find({ KUBECONFIG: two! }, one), "https://one");
  equal(await find({ KUBECONFIG: `:${two}:${one}` }), "https://two");
  equal(await find({}), "https://home");
  await rejects(find({}, "/nonexistent"), { code: "BadKubeconfig" });
  // In a pod whose ServiceAccount isn't mounted.
  const pod = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
  await rejects(find(pod), { code: "NoCredentials" });
});
