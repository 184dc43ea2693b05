/** Network attachment definitions made known to an API server, as multus would. */

import { parseAllDocuments } from "yaml";
import { applyObject } from "./manifest_install.ts";
import type { RawKube, RawObject } from "./raw_kube.ts";
import { until } from "./until.ts";

const FILE = new URL("../../scripts/local_cluster/network_attacher.yaml", import.meta.url);

export async function installNetworkCrd(kube: RawKube): Promise<void> {
  const documents = parseAllDocuments(await Deno.readTextFile(FILE));
  const objects: RawObject[] = documents.map((document) => document.toJS());
  const crd = objects.find(({ kind }) => kind === "CustomResourceDefinition");
  await applyObject(kube, crd);
  const path = "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions";
  await until("networks are served", async () => (await kube.ask({ path })).status === 200);
}
