/**
 * Who may do what: the one source of the RBAC objects, of the list in deploy/rbac.txt, and of what
 * tests/apiserver asks a real API server.
 */

import type { V1PolicyRule } from "@kubernetes/client-node";
import { CONTROLLER_NAME, GROUP, POD_WEBHOOK_NAME, WEBHOOK_NAME } from "../../src/api/names.ts";
import { ACCOUNTS, PRODUCT, WEBHOOK_SECRET } from "./common.ts";

/** Some resources of one API group, and what may be done with them. */
export interface Rule {
  readonly group: string;
  readonly resources: readonly string[];
  /** Only objects of these names. */
  readonly names?: readonly string[];
  readonly verbs: readonly string[];
  /** For a comment: what it is needed for. */
  readonly why: string;
}

export interface RoleSpec {
  readonly name: string;
  /** "cluster": everywhere; "namespace": in the namespace of the product alone. */
  readonly scope: "cluster" | "namespace";
  readonly about: string;
  /** ServiceAccount that gets it; none: people do, by bindings of their own. */
  readonly account?: string;
  /** Built-in roles that contain it. */
  readonly aggregateTo?: readonly string[];
  readonly rules: readonly Rule[];
}

/** Whether our own program renews the webhook's certificate. */
export interface RoleOptions {
  readonly ownCertificate: boolean;
}

const READ = ["get", "list", "watch"];
const NETWORKS = "network-attachment-definitions";

export function roleSpecs(options: RoleOptions): readonly RoleSpec[] {
  return [
    AGENT,
    CONTROLLER,
    controllerInNamespace(options),
    ...webhookRole(options),
    VIEWER,
    ADMIN,
  ];
}

const AGENT: RoleSpec = {
  name: ACCOUNTS.agent,
  scope: "cluster",
  about:
    "The node agent. Its token lies on every node, so it may do next to nothing: no pods, no " +
    "nodes, no secrets, no events. What it knows of pods, it has from its node's kubelet.",
  account: ACCOUNTS.agent,
  rules: [
    { group: GROUP, resources: ["lans"], verbs: READ, why: "What to build." },
    {
      group: GROUP,
      resources: ["lannodes"],
      verbs: [...READ, "create", "patch"],
      why: "Who holds a spoke elsewhere; and its own object, which alone it may write: see the " +
        `ValidatingAdmissionPolicy "${PRODUCT}-own-lannode".`,
    },
    { group: GROUP, resources: ["lannodes/status"], verbs: ["patch"], why: "What is on its node." },
  ],
};

const CONTROLLER: RoleSpec = {
  name: ACCOUNTS.controller,
  scope: "cluster",
  about: "The controller.",
  account: ACCOUNTS.controller,
  rules: [
    {
      group: GROUP,
      resources: ["lans"],
      verbs: [...READ, "patch"],
      why:
        "Patched for the finalizer alone, by which a LAN waits for what is attached to it: see the " +
        `ValidatingAdmissionPolicy "${PRODUCT}-lan-spec".`,
    },
    {
      group: GROUP,
      resources: ["lans/status"],
      verbs: ["patch"],
      why: "Whether it is accepted, ready, in use.",
    },
    {
      group: GROUP,
      resources: ["lannodes"],
      verbs: [...READ, "patch", "delete"],
      why: "Patched to belong to their Node; deleted when that is gone or out of service.",
    },
    {
      group: "k8s.cni.cncf.io",
      resources: [NETWORKS],
      verbs: [...READ, "create", "patch", "delete"],
      why: "In the namespaces where a LAN is offered, and only those it has made: see the " +
        `ValidatingAdmissionPolicy "${PRODUCT}-own-networks".`,
    },
    {
      group: "",
      resources: ["nodes", "namespaces"],
      verbs: READ,
      why:
        "Which nodes are gone, out of service or not ready; whether a namespace is there by now.",
    },
    {
      group: "",
      resources: ["pods"],
      verbs: ["list", "watch"],
      why:
        "Those of KubeVirt's VMs (label kubevirt.io=virt-launcher, which a rule cannot say): which " +
        "of them a VM moves to, that it may have the spokes of the one it moves from. Those of the " +
        "agents: on which nodes none works. And by its name a pod that holds a spoke's device " +
        "without being attached: it is told in its events.",
    },
    {
      group: "events.k8s.io",
      resources: ["events"],
      verbs: ["create", "patch"],
      why: "What happened to a LAN, what a pod lacks; patched to count what happens again.",
    },
  ],
};

function controllerInNamespace({ ownCertificate }: RoleOptions): RoleSpec {
  const secret: Rule = {
    group: "",
    resources: ["secrets"],
    names: [WEBHOOK_SECRET],
    verbs: ["list", "watch", "patch"],
    why: "The webhook's certificate and key. It is there from the start, empty: permission to " +
      "create secrets cannot be limited to one name.",
  };
  return {
    name: ACCOUNTS.controller,
    scope: "namespace",
    about: "The controller, in its own namespace.",
    account: ACCOUNTS.controller,
    rules: [
      {
        group: "coordination.k8s.io",
        resources: ["leases"],
        verbs: ["create"],
        why: "By a lease the replicas agree on who acts. Creating cannot be limited to a name.",
      },
      {
        group: "coordination.k8s.io",
        resources: ["leases"],
        names: [CONTROLLER_NAME],
        verbs: ["get", "update"],
        why: "The one lease.",
      },
      ...(ownCertificate ? [secret] : []),
    ],
  };
}

/** One object alone; but it belongs to the cluster. */
function webhookRole({ ownCertificate }: RoleOptions): readonly RoleSpec[] {
  if (!ownCertificate) return [];
  return [{
    name: WEBHOOK_NAME,
    scope: "cluster",
    about: "The controller, for its webhook's certificate authority.",
    account: ACCOUNTS.controller,
    rules: [{
      group: "admissionregistration.k8s.io",
      resources: ["validatingwebhookconfigurations"],
      names: [WEBHOOK_NAME],
      verbs: ["list", "watch", "patch"],
      why: "Where the API server finds whom to trust; watched, as applying the manifest again " +
        "empties it.",
    }],
  }];
}

/** Comes with the webhook for pods, in a manifest of its own. */
export const POD_WEBHOOK_ROLE: RoleSpec = {
  name: POD_WEBHOOK_NAME,
  scope: "cluster",
  about: "The controller, for the authority of its webhook for pods. Whoever may change this one " +
    "object decides what new pods look like: where that is too much, take the manifest for " +
    "cert-manager, with which the controller needs no such role.",
  account: ACCOUNTS.controller,
  rules: [{
    group: "admissionregistration.k8s.io",
    resources: ["mutatingwebhookconfigurations"],
    names: [POD_WEBHOOK_NAME],
    verbs: ["list", "watch", "patch"],
    why: "Where the API server finds whom to trust.",
  }],
};

const VIEWER: RoleSpec = {
  name: `${PRODUCT}-viewer`,
  scope: "cluster",
  about: "For people: reads LANs. Part of the built-in roles view, edit and admin.",
  aggregateTo: ["view", "edit", "admin"],
  rules: [{
    group: GROUP,
    resources: ["lans", "lannodes"],
    verbs: READ,
    why: "LANNodes belong to the cluster: reading them takes a ClusterRoleBinding.",
  }],
};

const ADMIN: RoleSpec = {
  name: `${PRODUCT}-admin`,
  scope: "cluster",
  about: "For people: makes LANs. Part of no built-in role, since a LAN names network devices of " +
    "the nodes and takes names, VNIs and ports that are one for the whole cluster; bind it to those " +
    "who may.",
  rules: [
    {
      group: GROUP,
      resources: ["lans"],
      verbs: [...READ, "create", "update", "patch", "delete", "deletecollection"],
      why: "All but the status, which is the controller's.",
    },
    { group: GROUP, resources: ["lannodes"], verbs: READ, why: "What is attached, and where." },
  ],
};

export function policyRule({ group, resources, names, verbs }: Rule): V1PolicyRule {
  return {
    apiGroups: [group],
    resources: [...resources],
    ...(names === undefined ? {} : { resourceNames: [...names] }),
    verbs: [...verbs],
  };
}
