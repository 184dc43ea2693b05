import { deepStrictEqual } from "node:assert/strict";
import { type CniArgs, parseCniArgs } from "./cni_args.ts";
import type { Issue } from "./issues.ts";

const POD = "K8S_POD_NAMESPACE=team;K8S_POD_NAME=web-0;K8S_POD_UID=1-2-3";
const pod = { namespace: "team", name: "web-0", uid: "1-2-3" };

const good: readonly (readonly [string, string, CniArgs])[] = [
  ["nothing", "", {}],
  ["a pod", POD, { pod }],
  [
    "a MAC and keys of others",
    `IgnoreUnknown=1;${POD};K8S_POD_INFRA_CONTAINER_ID=abc;MAC=02:00:00:00:00:01;IP=10.0.0.1/24`,
    { mac: "02:00:00:00:00:01", pod },
  ],
  ["no UID", "K8S_POD_NAMESPACE=team;K8S_POD_NAME=web-0", {
    pod: { namespace: "team", name: "web-0" },
  }],
  ["stray separators and spaces", `;;  ${POD} ; ;`, { pod }],
  ["a value with an equals sign", "X=a=b;MAC=x", { mac: "x" }],
  ["empty values", "MAC=;K8S_POD_NAMESPACE=;K8S_POD_NAME=x", {}],
  ["the same key twice alike", `${POD};K8S_POD_NAME=web-0`, { pod }],
  [
    "what multus makes of a runtime's",
    `IgnoreUnknown=true;${POD};K8S_POD_INFRA_CONTAINER_ID=abc;IgnoreUnknown=1;${POD};` +
    "K8S_POD_INFRA_CONTAINER_ID=abc;MAC=02:00:00:00:00:01;IP=10.0.0.1/24",
    { mac: "02:00:00:00:00:01", pod },
  ],
  ["names of JavaScript's own", "__proto__=x;constructor=y;toString=z", {}],
];

const bad: readonly (readonly [string, string, readonly string[]])[] = [
  ["no equals sign", "abc", ["CNI_ARGS"]],
  ["no key", "=x", ["CNI_ARGS"]],
  ["an odd key", "a b=c", ["CNI_ARGS"]],
  ["too much", "A=".padEnd(4097, "x"), ["CNI_ARGS"]],
  ["a second namespace", `${POD};K8S_POD_NAMESPACE=victim`, ["CNI_ARGS K8S_POD_NAMESPACE"]],
  ["a second MAC", "MAC=02:00:00:00:00:01;MAC=02:00:00:00:00:02", ["CNI_ARGS MAC"]],
  ["a path for a namespace", "K8S_POD_NAMESPACE=../x;K8S_POD_NAME=a", [
    "CNI_ARGS K8S_POD_NAMESPACE",
  ]],
  ["an escape code", "K8S_POD_NAMESPACE=a;K8S_POD_NAME=\u001b[2J", ["CNI_ARGS K8S_POD_NAME"]],
  ["a namespace without a name", "K8S_POD_NAMESPACE=a", ["CNI_ARGS K8S_POD_NAME"]],
];

for (const [name, text, expected] of good) {
  Deno.test(`parseCniArgs() reads ${name}`, () => {
    const issues: Issue[] = [];
    deepStrictEqual(parseCniArgs(text, issues), expected);
    deepStrictEqual(issues, []);
  });
}

for (const [name, text, paths] of bad) {
  Deno.test(`parseCniArgs() refuses ${name}`, () => {
    const issues: Issue[] = [];
    parseCniArgs(text, issues);
    deepStrictEqual(issues.map(({ path }) => path), paths);
  });
}
