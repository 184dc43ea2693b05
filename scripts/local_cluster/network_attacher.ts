/**
 * What gives pods further interfaces as their annotation asks: multus, or where it can't be had the
 * plugin in tests/support/meta_cni, which does for tests what multus does.
 */

import { API_PORT } from "./control_plane.ts";
import { type ClusterLayout, NODE_TOOLS, type NodeLayout } from "./layout.ts";
import { findMultus } from "./multus.ts";
import { podNetwork } from "./node.ts";
import type { Pki } from "./pki.ts";
import type { Say } from "./tools.ts";

export interface NetworkAttacher {
  /** Which one it is, and why. */
  readonly description: string;
  /** Lays down its files in a node's folder, before the node is built. */
  install(layout: ClusterLayout, node: NodeLayout, pki: Pki): Promise<void>;
}

/** The manifest of the resource and the role that either of them needs. */
export const ATTACHER_MANIFEST = new URL("network_attacher.yaml", import.meta.url).pathname;

const META_FOLDER = new URL("../../tests/support/meta_cni/", import.meta.url).pathname;
/** The user that the manifest gives a role. */
const USER = "k8slan-cluster:network-attacher";
const KUBECONFIG = "/etc/cni/net.d/attacher.d/kubeconfig";

/** Finds multus, or says why its stand-in is taken. */
export async function prepareAttacher(tools: string, say: Say): Promise<NetworkAttacher> {
  const multus = await findMultus(tools, say);
  if (multus !== undefined) {
    return attacher(`multus, ${multus}`, "multus", async (folder) => {
      await Deno.copyFile(multus, `${folder}/multus`);
    });
  }
  const why = "multus can't be downloaded and MULTUS_BIN names none";
  return attacher(
    `meta-cni, the stand-in for multus of tests/support, as ${why}`,
    "meta-cni",
    copyMeta,
  );
}

function attacher(
  description: string,
  type: string,
  copy: (folder: string) => Promise<void>,
): NetworkAttacher {
  return {
    description,
    async install(layout, node, pki) {
      const folder = `${node.dir}/opt/cni/bin`;
      await Deno.mkdir(folder, { recursive: true });
      await copy(folder);
      const certificate = `attacher.${node.shortName}`;
      await pki.issue(certificate, { user: USER, groups: [] });
      const server = `https://${layout.control.address}:${API_PORT}`;
      const config = {
        cniVersion: "1.0.0",
        name: "pods-and-more",
        type,
        kubeconfig: KUBECONFIG,
        capabilities: { portMappings: true },
        delegates: [podNetwork(node)],
      };
      const path = `${node.dir}${KUBECONFIG}`;
      await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path, await pki.kubeconfig(certificate, server), { mode: 0o600 });
      await Deno.writeTextFile(
        `${node.dir}/etc/cni/net.d/00-${type}.conf`,
        JSON.stringify(config, undefined, 2),
      );
    },
  };
}

/** Its modules import nothing but each other, so that Deno alone runs them in a node. */
async function copyMeta(folder: string): Promise<void> {
  const modules = `${folder}/meta-cni.d`;
  await Deno.mkdir(modules);
  for await (const { name } of Deno.readDir(META_FOLDER)) {
    if (!name.endsWith(".ts") || name.endsWith("_test.ts")) continue;
    await Deno.copyFile(`${META_FOLDER}${name}`, `${modules}/${name}`);
  }
  const flags = "--no-config --no-lock --no-check --no-remote --no-npm --unstable-net -A -q";
  const script = `#!/bin/sh
export DENO_DIR=/var/cache/deno DENO_NO_UPDATE_CHECK=1
exec ${NODE_TOOLS}/deno run ${flags} /opt/cni/bin/meta-cni.d/main.ts
`;
  await Deno.writeTextFile(`${folder}/meta-cni`, script, { mode: 0o755 });
}
