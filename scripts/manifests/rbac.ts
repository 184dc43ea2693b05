/** ServiceAccounts, roles and their bindings. */

import type {
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1Role,
  V1RoleBinding,
  V1ServiceAccount,
} from "@kubernetes/client-node";
import { ACCOUNTS, clusterMeta, type ManifestOptions, systemMeta } from "./common.ts";
import { policyRule, type RoleSpec } from "./roles.ts";
import { about } from "./why.ts";

const API_GROUP = "rbac.authorization.k8s.io";
const API_VERSION = `${API_GROUP}/v1`;

export function serviceAccounts(options: ManifestOptions): V1ServiceAccount[] {
  return Object.values(ACCOUNTS).map((name) => ({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: systemMeta(options, name),
    // Whoever starts another pod as it does not get a token without asking for one.
    automountServiceAccountToken: false,
  }));
}

/** A role, and its binding if it is for a ServiceAccount. */
export function roleObjects(options: ManifestOptions, spec: RoleSpec): object[] {
  return [role(options, spec), ...(spec.account === undefined ? [] : [binding(options, spec)])];
}

function role(options: ManifestOptions, spec: RoleSpec): V1Role | V1ClusterRole {
  const rules = spec.rules.map((rule) => about(rule.why, policyRule(rule)));
  if (spec.scope === "namespace") {
    const metadata = systemMeta(options, spec.name);
    return about(spec.about, { apiVersion: API_VERSION, kind: "Role", metadata, rules });
  }
  const labels = Object.fromEntries(
    (spec.aggregateTo ?? []).map((name) => [`${API_GROUP}/aggregate-to-${name}`, "true"]),
  );
  const metadata = clusterMeta(spec.name, labels);
  return about(spec.about, { apiVersion: API_VERSION, kind: "ClusterRole", metadata, rules });
}

function binding(
  options: ManifestOptions,
  { name, scope, account = "" }: RoleSpec,
): V1RoleBinding | V1ClusterRoleBinding {
  const subjects = [{ kind: "ServiceAccount", name: account, namespace: options.namespace }];
  const roleRef = (kind: string) => ({ apiGroup: API_GROUP, kind, name });
  return scope === "namespace"
    ? {
      apiVersion: API_VERSION,
      kind: "RoleBinding",
      metadata: systemMeta(options, name),
      roleRef: roleRef("Role"),
      subjects,
    }
    : {
      apiVersion: API_VERSION,
      kind: "ClusterRoleBinding",
      metadata: clusterMeta(name),
      roleRef: roleRef("ClusterRole"),
      subjects,
    };
}
