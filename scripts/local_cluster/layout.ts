/** Names, places and addresses of a cluster: everything that follows from its name and size. */

export interface ClusterLayout {
  readonly name: string;
  /** The one folder with everything of the cluster on disk. */
  readonly dir: string;
  /** Path of its control groups within each hierarchy. */
  readonly cgroup: string;
  readonly kubeconfig: string;
  /** The folder whose `kubectl` is the cluster's. */
  readonly binaries: string;
  readonly control: PlaceLayout;
  /** Nothing runs in there: its bridges are the switches between nodes and control plane. */
  readonly fabric: PlaceLayout;
  readonly nodes: readonly NodeLayout[];
}

/** A set of namespaces, each held by a file. */
export interface PlaceLayout {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
}

export interface NodeLayout extends PlaceLayout {
  /** `worker1`, …: the name without the cluster's. */
  readonly shortName: string;
  readonly mountns: string;
  readonly utsns: string;
  /** What it has on disk instead of the machine's `/var`, `/etc`, `/opt`. */
  readonly dir: string;
  readonly podSubnet: string;
}

export const DEFAULT_NAME = "default";
/** Clusters lie in folders of this prefix. */
export const DIR_PREFIX = "/var/lib/k8slan-cluster-";
export const POD_SUBNET = "10.244.0.0/16";
export const SERVICE_SUBNET = "10.96.0.0/16";
/** Of the service `kubernetes`: the first of SERVICE_SUBNET. */
export const API_SERVICE_ADDRESS = "10.96.0.1";
export const NODE_PREFIX_LENGTH = 24;
/** Where a node's own view has the cluster's programs. */
export const NODE_TOOLS = "/run/cluster";

const NAME = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;
const MOST_NODES = 8;

/** Throws when the name or the number of nodes is none that can be. */
export function clusterLayout(name: string, nodes: number): ClusterLayout {
  if (!NAME.test(name)) {
    throw new Error(
      `Name "${name}" of a cluster: expected up to 20 lower-case letters, digits and "-"`,
    );
  }
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES) {
    throw new Error(`A cluster of ${nodes} nodes: expected 1 to ${MOST_NODES}`);
  }
  const dir = `${DIR_PREFIX}${name}`;
  const place = (name: string, address: string) => ({
    name,
    netns: `${dir}/ns/${name}.net`,
    address,
  });
  return {
    name,
    dir,
    cgroup: `k8slan-cluster-${name}`,
    kubeconfig: `${dir}/kubeconfig`,
    binaries: `${dir}/bin`,
    control: place("control", "172.30.0.1"),
    fabric: place("fabric", ""),
    nodes: Array.from({ length: nodes }, (_, at) => {
      const shortName = `worker${at + 1}`;
      // /dev/tapN is shared by all clusters, and N follows from the node's name.
      const nodeName = name === DEFAULT_NAME ? shortName : `${name}-${shortName}`;
      return {
        ...place(nodeName, `172.30.0.${11 + at}`),
        shortName,
        mountns: `${dir}/ns/${nodeName}.mnt`,
        utsns: `${dir}/ns/${nodeName}.uts`,
        dir: `${dir}/nodes/${nodeName}`,
        podSubnet: `10.244.${at + 1}.0/24`,
      };
    }),
  };
}

/** The command that runs `args` in the network namespace of a place. */
export function inNetns({ netns }: PlaceLayout, ...args: readonly string[]): string[] {
  return ["nsenter", `--net=${netns}`, "--", ...args];
}

/** The command that runs `args` where a node's own programs run. */
export function inNode(node: NodeLayout, ...args: readonly string[]): string[] {
  const { netns, mountns, utsns } = node;
  return ["nsenter", `--net=${netns}`, `--mount=${mountns}`, `--uts=${utsns}`, "--", ...args];
}
