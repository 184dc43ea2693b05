/** LANs made known to an API server. */

import { parse } from "yaml";
import type { KubeApi } from "../../src/kube/kube_api.ts";
import type { KubeObject } from "../../src/kube/objects.ts";
import { resource } from "../../src/kube/resource.ts";
import { LAN_NODES, LANS } from "../../src/kube/resources.ts";
import { until } from "./until.ts";

const CRDS = resource<KubeObject & { readonly spec: unknown }>({
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
});

/** Installs crds/lan.yaml, and waits until LANs are served. */
export async function installLanCrd(api: KubeApi): Promise<void> {
  await create(api, "lan.yaml");
  await until("LANs are served", async () => (await api.list(LANS)).items.length === 0);
}

/** Installs crds/lannode.yaml, and waits until LANNodes are served. */
export async function installLanNodeCrd(api: KubeApi): Promise<void> {
  await create(api, "lannode.yaml");
  await until("LANNodes are served", async () => (await api.list(LAN_NODES)).items.length === 0);
}

async function create(api: KubeApi, name: string): Promise<void> {
  const file = new URL(`../../crds/${name}`, import.meta.url);
  await api.create(CRDS, parse(await Deno.readTextFile(file)));
}
