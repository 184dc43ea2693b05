/**
 * ValidatingAdmissionPolicies: what RBAC cannot say of our own ServiceAccounts.
 *
 * There is none for pods that ask for macvtap.k8slan.io/SPOKE. Whether a namespace may have a spoke
 * is written in the LAN, which lies in a namespace of its own: a policy finds objects as parameters
 * in the pod's namespace alone, or demands that every one of them agrees. The agent decides when the
 * pod is attached: a pod that may not gets a clear failure and no device.
 */

import type {
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
  V1ValidatingAdmissionPolicySpec,
} from "@kubernetes/client-node";
import {
  DAEMON_SET_NAME,
  GROUP,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  VERSION,
} from "../../src/api/names.ts";
import { clusterMeta, type ManifestOptions, PRODUCT, userName } from "./common.ts";
import { about } from "./why.ts";

const API_VERSION = "admissionregistration.k8s.io/v1";
/** Put by the API server into every token of a pod (Kubernetes 1.30 and newer). */
const NODE_OF_TOKEN = "authentication.kubernetes.io/node-name";

export function policyObjects(options: ManifestOptions): object[] {
  return [
    ...bound(
      `${PRODUCT}-own-lannode`,
      "An agent writes the LANNode of the node that its own token is bound to, and no other: who " +
        "takes over one node can't speak for the rest.",
      ownLanNode(options),
    ),
    ...bound(
      `${PRODUCT}-own-networks`,
      "The controller writes NetworkAttachmentDefinitions that carry its label, before and after: " +
        "those of others are out of its reach, whatever it does.",
      ownNetworks(options),
    ),
    ...bound(
      `${PRODUCT}-lan-spec`,
      "The controller patches LANs for their finalizer, and leaves what people wrote: a LAN says " +
        "which devices of the nodes are used.",
      lanSpec(options),
    ),
  ];
}

function ownLanNode(options: ManifestOptions): V1ValidatingAdmissionPolicySpec {
  const action = `an agent (DaemonSet ${DAEMON_SET_NAME}) may write`;
  return {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [{
        apiGroups: [GROUP],
        apiVersions: [VERSION],
        operations: ["CREATE", "UPDATE", "DELETE"],
        resources: ["lannodes", "lannodes/status"],
      }],
    },
    matchConditions: [byUser(userName(options, "agent"))],
    variables: [
      {
        name: "tokenNode",
        expression: `request.userInfo.extra[?'${NODE_OF_TOKEN}'].orValue([''])[0]`,
      },
      {
        name: "objectNode",
        expression: "(request.operation == 'DELETE' ? oldObject : object).metadata.name",
      },
    ],
    validations: [
      {
        expression: "variables.tokenNode != ''",
        message: `Only with a token that is bound to a pod on a node ${action}`,
      },
      {
        expression: "variables.tokenNode == '' || variables.tokenNode == variables.objectNode",
        messageExpression:
          `'On node "' + variables.tokenNode + '" ${action} LANNode "' + variables.tokenNode + '" only, not "' + variables.objectNode + '"'`,
      },
    ],
  };
}

function ownNetworks(options: ManifestOptions): V1ValidatingAdmissionPolicySpec {
  const labelled = (name: string) =>
    `${name}.metadata.?labels['${MANAGED_BY_LABEL}'].orValue('') == '${MANAGED_BY}'`;
  return {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [{
        apiGroups: ["k8s.cni.cncf.io"],
        apiVersions: ["*"],
        operations: ["CREATE", "UPDATE", "DELETE"],
        resources: ["network-attachment-definitions"],
      }],
    },
    matchConditions: [byUser(userName(options, "controller"))],
    validations: [
      {
        expression: `request.operation == 'CREATE' || ${labelled("oldObject")}`,
        message:
          `The controller may not touch what lacks its label ${MANAGED_BY_LABEL}=${MANAGED_BY}`,
      },
      {
        expression: `request.operation == 'DELETE' || ${labelled("object")}`,
        message:
          `What the controller writes must carry its label ${MANAGED_BY_LABEL}=${MANAGED_BY}`,
      },
    ],
  };
}

function lanSpec(options: ManifestOptions): V1ValidatingAdmissionPolicySpec {
  return {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [{
        apiGroups: [GROUP],
        apiVersions: [VERSION],
        operations: ["UPDATE"],
        resources: ["lans"],
      }],
    },
    matchConditions: [byUser(userName(options, "controller"))],
    validations: [{
      expression: "object.spec == oldObject.spec",
      message: "The controller may not change the spec of a LAN",
    }],
  };
}

function byUser(name: string) {
  return { name: "by-our-service-account", expression: `request.userInfo.username == '${name}'` };
}

function bound(
  name: string,
  reason: string,
  spec: V1ValidatingAdmissionPolicySpec,
): [V1ValidatingAdmissionPolicy, V1ValidatingAdmissionPolicyBinding] {
  const metadata = clusterMeta(name);
  return [
    about(reason, {
      apiVersion: API_VERSION,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec,
    }),
    {
      apiVersion: API_VERSION,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}
