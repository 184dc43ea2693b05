/** A cluster as a whole: made, found again, removed. */

import { runProgram } from "../../tests/support/lab_process.ts";
import { until } from "../../tests/support/until.ts";
import { Components } from "./components.ts";
import {
  API_PORT,
  controlComponents,
  issueControlCertificates,
  relayComponent,
} from "./control_plane.ts";
import { withFileLock } from "./file_lock.ts";
import { loadImage, makeBaseImages } from "./images.ts";
import { type ClusterLayout, clusterLayout } from "./layout.ts";
import { makeNamespaces, wire } from "./network.ts";
import { makeNode, nodeComponentNames, nodeComponents, nodeEnvironment } from "./node.ts";
import { ATTACHER_MANIFEST, type NetworkAttacher, prepareAttacher } from "./network_attacher.ts";
import { Pki } from "./pki.ts";
import { removeCluster } from "./removal.ts";
import { isFile, obtainTools, type Say, type Tools, toolsFolder } from "./tools.ts";

/** What is written down about a cluster that is complete. */
export interface ClusterState {
  readonly name: string;
  readonly nodes: number;
  readonly tools: Tools;
  /** Of the API server, on this machine's loopback. */
  readonly port: number;
  /** What gives pods their further interfaces. */
  readonly attacher: string;
}

export interface Cluster {
  readonly layout: ClusterLayout;
  readonly state: ClusterState;
  readonly components: Components;
}

export interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly say: Say;
}

/**
 * Starts a cluster, or what has died of it; returns when all nodes are ready. One that is half made
 * is replaced. Throws with the last lines of a log when a component does not come up, and then leaves
 * everything as it is.
 */
export async function upCluster(options: UpOptions): Promise<Cluster> {
  const { name, nodes, say } = options;
  const layout = clusterLayout(name, nodes);
  const tools = await obtainTools(say);
  const attacher = await prepareAttacher(toolsFolder(), say);
  return await withClusterLock(name, async () => {
    const found = await findCluster(name);
    if (found === undefined) {
      await removeCluster(layout);
      return await makeCluster(layout, tools, attacher, options);
    }
    if (found.state.nodes !== nodes) {
      throw new Error(
        `Cluster "${name}" has ${found.state.nodes} nodes, not ${nodes}; remove it with ` +
          `"scripts/cluster down" first`,
      );
    }
    await startAll(found);
    return found;
  });
}

/** Removes the cluster of that name, if there is any of it. */
export async function downCluster(name: string): Promise<void> {
  await withClusterLock(name, () => removeCluster(clusterLayout(name, 1)));
}

/** A cluster that has come up and whose namespaces are there; undefined for anything less. */
export async function findCluster(name: string): Promise<Cluster | undefined> {
  const { dir } = clusterLayout(name, 1);
  if (!await isFile(statePath(dir))) return undefined;
  const state: ClusterState = JSON.parse(await Deno.readTextFile(statePath(dir)));
  const layout = clusterLayout(name, state.nodes);
  // After a restart of the machine the folder is there still.
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  if (!layout.nodes.every(({ mountns }) => mounts.includes(` ${mountns} `))) return undefined;
  return { layout, state, components: new Components(layout) };
}

function statePath(dir: string): string {
  return `${dir}/cluster.json`;
}

async function withClusterLock<T>(name: string, task: () => Promise<T>): Promise<T> {
  return await withFileLock(`${toolsFolder()}/cluster-${name}.lock`, task);
}

async function makeCluster(
  layout: ClusterLayout,
  tools: Tools,
  attacher: NetworkAttacher,
  { name, nodes }: UpOptions,
): Promise<Cluster> {
  const { dir, control, kubeconfig } = layout;
  const components = new Components(layout);
  const pki = new Pki(`${dir}/pki`);
  await Deno.mkdir(`${dir}/etcd`, { recursive: true });
  await Deno.chmod(dir, 0o700);
  await Promise.all([pki.create(), makeNamespaces(layout)]);
  await Promise.all([issueControlCertificates(layout, pki), wire(layout)]);

  const port = freePort();
  const apiserver = `https://${control.address}:${API_PORT}`;
  const write = async (path: string, user: string, server: string) =>
    await Deno.writeTextFile(path, await pki.kubeconfig(user, server), { mode: 0o600 });
  await Promise.all([
    write(`${dir}/controllers.conf`, "controllers", apiserver),
    write(`${dir}/scheduler.conf`, "scheduler", apiserver),
    write(kubeconfig, "admin", `https://127.0.0.1:${port}`),
  ]);
  await Deno.mkdir(layout.binaries);
  await Deno.symlink(`${tools.kubernetes}/kubectl`, `${layout.binaries}/kubectl`);

  for (const spec of controlComponents(layout, tools, pki)) await components.define(spec);
  await components.define(relayComponent(layout, port));
  const images = makeBaseImages(`${dir}/images`, tools.busybox);
  const state = { name, nodes, tools, port, attacher: attacher.description };
  const cluster = { layout, state, components };
  await Promise.all([
    startControlPlane(cluster),
    ...layout.nodes.map(async (node) => {
      await attacher.install(layout, node, pki);
      await makeNode(layout, node, tools, pki);
      for (const spec of nodeComponents(node, tools)) await components.define(spec);
      await components.start(nodeComponentNames(node).containerd);
      await loadImage(node, nodeEnvironment(tools), await images);
    }),
  ]);
  await kubectl(cluster, ["apply", "-f", ATTACHER_MANIFEST]);
  await startNodes(cluster);
  await Deno.writeTextFile(statePath(dir), JSON.stringify(state, undefined, 2));
  return cluster;
}

/** Starts whatever does not run. */
async function startAll(cluster: Cluster): Promise<void> {
  const { layout, components } = cluster;
  await startControlPlane(cluster);
  for (const node of layout.nodes) await components.start(nodeComponentNames(node).containerd);
  await startNodes(cluster);
}

async function startControlPlane({ components }: Cluster): Promise<void> {
  for (const name of ["etcd", "apiserver", "relay", "controllers", "scheduler"]) {
    await components.start(name);
  }
}

async function startNodes(cluster: Cluster): Promise<void> {
  const { layout, components } = cluster;
  await Promise.all(
    layout.nodes.map(nodeComponentNames).flatMap(({ kubelet, proxy }) => [
      components.start(kubelet),
      components.start(proxy),
    ]),
  );
  for (const { name } of layout.nodes) {
    await until(`node "${name}" is ready`, async () => {
      const path = "-o=jsonpath={.status.conditions[?(@.type=='Ready')].status}";
      return await kubectl(cluster, ["get", "node", name, path]) === "True";
    }, { timeout: 60_000, interval: 100 });
  }
  await until("pods can be made", async () => {
    await kubectl(cluster, ["get", "serviceaccount", "default"]);
    return true;
  });
}

/** Runs kubectl as administrator and returns what it writes. */
export async function kubectl(
  { layout, state }: Cluster,
  args: readonly string[],
  stdin?: string,
): Promise<string> {
  return await runProgram(
    [`${state.tools.kubernetes}/kubectl`, `--kubeconfig=${layout.kubeconfig}`, ...args],
    stdin === undefined ? {} : { stdin },
  );
}

/** A port of the loopback that nobody uses now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
