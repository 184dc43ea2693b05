import { deepEqual, throws } from "node:assert/strict";
import { kubeTarget } from "./kubeconfig.ts";

type Fields = Record<string, unknown>;

/** A kubeconfig with one context, `cluster` and `user` laid over what is usual. */
function config(cluster: Fields = {}, user: Fields = {}, more: Fields = {}): Fields {
  return {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u", namespace: "n" } }],
    clusters: [{ name: "k", cluster: { server: "https://192.0.2.1:6443/", ...cluster } }],
    users: [{ name: "u", user }],
    ...more,
  };
}

const target = (content: unknown, wanted?: string) =>
  kubeTarget([{ path: "/home/me/.kube/config", content }], wanted);

Deno.test("kubeTarget() finds the current context", () => {
  const data = btoa("PEM");
  deepEqual(
    target(config(
      { "certificate-authority-data": data },
      { "client-certificate-data": data, "client-key-data": data },
    )),
    {
      context: "c",
      namespace: "n",
      cluster: { name: "k", server: "https://192.0.2.1:6443", ca: { text: "PEM" } },
      user: { name: "u", cert: { text: "PEM" }, key: { text: "PEM" } },
    },
  );
});

Deno.test("kubeTarget() takes paths from the kubeconfig's folder", () => {
  const { cluster, user } = target(config(
    { "certificate-authority": "ca.pem", "tls-server-name": "k8s", "proxy-url": "socks5://p:1" },
    { "client-certificate": "/etc/c.pem", "client-key": "../k.pem", tokenFile: "t", token: "x" },
  ));
  deepEqual(cluster, {
    ...{ name: "k", server: "https://192.0.2.1:6443", ca: { path: "/home/me/.kube/ca.pem" } },
    ...{ tlsServerName: "k8s", proxyUrl: "socks5://p:1" },
  });
  deepEqual(user, {
    ...{ name: "u", cert: { path: "/etc/c.pem" }, key: { path: "/home/me/.kube/../k.pem" } },
    token: { path: "/home/me/.kube/t" },
  });
});

Deno.test("kubeTarget() knows plugins and identity providers", () => {
  const rows = [
    [{ exec: { command: "aws" } }, { kind: "exec", config: { command: "aws" } }],
    [{ exec: { command: "./bin/login" } }, {
      kind: "exec",
      config: { command: "/home/me/.kube/./bin/login" },
    }],
    [{ "auth-provider": { name: "oidc" } }, { kind: "auth-provider", config: { name: "oidc" } }],
  ] as const;
  for (const [user, plugin] of rows) {
    deepEqual(target(config({}, user)).user, { name: "u", plugin });
  }
});

Deno.test("kubeTarget() merges files: the first that has something wins", () => {
  const files = [
    { path: "/a/one", content: { "current-context": "d", clusters: [], users: null } },
    { path: "/b/two", content: config({}, { tokenFile: "t" }) },
    {
      path: "/c/three",
      content: config({ server: "https://other" }, { token: "other" }, {
        contexts: [{ name: "d", context: { cluster: "k", user: "u" } }],
      }),
    },
  ];
  const { context, cluster, user } = kubeTarget(files);
  deepEqual([context, cluster.server, user.token], ["d", "https://192.0.2.1:6443", {
    path: "/b/t",
  }]);
});

const REFUSED: readonly (readonly [string, unknown, RegExp, string?])[] = [
  ["nothing", undefined, /names no current context; choose one of: none$/],
  ["a text", "x", /names no current context/],
  ["no current context", config({}, {}, { "current-context": "" }), /choose one of: "c"$/],
  ["an unknown context", config(), /has no context "z"; there are: "c"$/, "z"],
  ["no cluster", config({}, {}, { clusters: [] }), /the cluster "k", which .* lacks$/],
  ["no user", config({}, {}, { users: [] }), /the user "u", which .* lacks$/],
  ["no server", config({ server: "" }), /cluster "k" has no server$/],
  ["a bad server", config({ server: "x y" }), /"x y", which is no URL$/],
  ["a number", config({ "certificate-authority": 5 }), /certificate-authority, which is no text$/],
  ["bad Base64", config({ "certificate-authority-data": "=?" }), /which is no Base64$/],
  [
    "insecurity",
    config({ "insecure-skip-tls-verify": true }),
    /which is refused: .* certificate-auth/,
  ],
  [
    "half a certificate",
    config({}, { "client-key": "k" }),
    /certificate or key without the other$/,
  ],
  ["impersonation", config({}, { as: "admin" }), /doesn't act as another user$/],
];

for (const [what, content, message, wanted] of REFUSED) {
  Deno.test(`kubeTarget() refuses ${what}`, () => {
    throws(() => target(content, wanted), { code: "BadKubeconfig", message });
  });
}
