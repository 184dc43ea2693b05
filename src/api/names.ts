/** Names and limits that users see. Nothing here is ever renamed: it is the product's contract. */

export const GROUP = "lan.k8slan.io";
export const VERSION = "v1beta1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Held by a LAN until nothing is attached to it any more. */
export const LAN_FINALIZER = `${GROUP}/attachments`;

/** Where everything of ours runs in a cluster. */
export const SYSTEM_NAMESPACE = "k8slan-system";
export const CONTROLLER_NAME = "k8slan-controller-manager";
export const DAEMON_SET_NAME = "k8slan-ds";
export const WEBHOOK_NAME = "k8slan-webhook";
/** Of the optional webhook that adds devices to pods. */
export const POD_WEBHOOK_NAME = "k8slan-pod-webhook";

/** Labels of every object that the controller makes, and of which LAN it is. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "k8slan";
export const LAN_UID_LABEL = `${GROUP}/lan-uid`;

/** By which a pod names its further networks. */
export const NETWORKS_ANNOTATION = "k8s.v1.cni.cncf.io/networks";
/** What multus reads to find a pod's device for a network. */
export const RESOURCE_NAME_ANNOTATION = "k8s.v1.cni.cncf.io/resourceName";

/** Extended resource of one spoke: `macvtap.k8slan.io/<spoke>`. */
export const RESOURCE_PREFIX = "macvtap.k8slan.io";

/** CNI plugin type, and the second name it answers to where that file name is free. */
export const CNI_TYPE = "k8slan";
export const CNI_TYPE_ALIAS = "macvtap";

/** Environment variable with the agent's socket; the path never comes from a CNI config. */
export const AGENT_SOCKET_ENV = "K8SLAN_AGENT_SOCKET";

export const DEFAULT_RUN_DIR = "/run/k8slan";
export const DEFAULT_STATE_DIR = "/var/lib/k8slan";

/** Kubelet's own folder, where nobody has moved it. */
export const DEFAULT_KUBELET_DIR = "/var/lib/kubelet";
/** Where container runtimes look for CNI plugins. */
export const DEFAULT_CNI_BIN_DIR = "/opt/cni/bin";
/** Of an agent in a cluster, on the loopback alone. */
export const DEFAULT_AGENT_HEALTH_PORT = 9814;

/** File names inside the run directory. */
export const AGENT_SOCKET_NAME = "agent.sock";
export const NETNS_DIR_NAME = "netns";
/** Detaches asked for while the agent was away, one file each, replayed when it starts. */
export const DELETE_QUEUE_DIR_NAME = "deletes";

export const DEFAULT_AGENT_SOCKET = `${DEFAULT_RUN_DIR}/${AGENT_SOCKET_NAME}`;

/** Largest message taken at any door: CNI stdin, agent socket. Bytes. */
export const MAX_MESSAGE_BYTES = 1 << 20;

/** VXLAN network identifier (RFC 7348, 24 bits; 0 is refused). */
export const VNI_MIN = 1;
export const VNI_MAX = 0xff_ffff;

/** Longest bridge, VXLAN, namespace and spoke name: IFNAMSIZ - 1 less two characters for the port's suffix. */
export const NAME_MAX = 13;

/** Most spokes of one LAN, and how many of them one bridge (one node) can carry (kernel BR_MAX_PORTS less the VXLAN). */
export const SPOKES_MAX = 4095;
export const SPOKES_PER_NODE_MAX = 1022;

export const DEFAULT_VXLAN_GROUP = "ff02::14";
export const DEFAULT_VXLAN_PORT = 4789;

/** VXLAN over IPv6: 40 (IPv6) + 8 (UDP) + 8 (VXLAN) + 14 (inner Ethernet). Bytes. */
export const VXLAN6_OVERHEAD = 70;
/** Room for one inner VLAN tag, which the default MTU leaves. Bytes. */
export const INNER_VLAN_TAG = 4;
/** Smallest MTU a LAN may have: what IPv6 needs. Bytes. */
export const MTU_MIN = 1280;
export const MTU_MAX = 65_465;

/** Between two hello frames from node to node of a LAN, unless said otherwise. Seconds. */
export const DEFAULT_PROBE_SECONDS = 10;
export const PROBE_SECONDS_MAX = 3_600;

/** Longest version text of an agent. */
export const VERSION_MAX = 64;
