/** From a pod's annotation and the definitions of networks to what is to be run. */

import type { Delegate, NetConf } from "./delegate.ts";
import type { KubeObject } from "./kube.ts";
import type { NetworkRequest } from "./networks.ts";
import type { PodDevices } from "./pod_resources.ts";

const RESOURCE_ANNOTATION = "k8s.v1.cni.cncf.io/resourceName";

/** The device resource that a network is bound to; undefined without. */
export function resourceName(definition: KubeObject): string | undefined {
  return definition.metadata.annotations?.[RESOURCE_ANNOTATION];
}

/**
 * What to run for each request: `definitions` in the same order. The n-th network of a resource gets
 * the pod's n-th device of it, and none when the pod has fewer.
 */
export function makeDelegates(
  requests: readonly NetworkRequest[],
  definitions: readonly KubeObject[],
  devices: PodDevices,
  args: string,
): readonly Delegate[] {
  const taken = new Map<string, number>();
  return requests.map((request, at) => {
    const definition = definitions[at];
    const resource = definition === undefined ? undefined : resourceName(definition);
    let device: string | undefined;
    if (resource !== undefined) {
      const count = taken.get(resource) ?? 0;
      device = devices.get(resource)?.[count];
      taken.set(resource, count + 1);
    }
    return {
      config: configOf(request, definition?.spec.config ?? "", device),
      ifname: request.ifname,
      args: argsOf(args, request),
      runtimeConfig: {
        ...(request.mac === undefined ? {} : { mac: request.mac }),
        ...(request.ips.length === 0 ? {} : { ips: request.ips }),
        ...(device === undefined ? {} : { deviceID: device }),
      },
    };
  });
}

function configOf(request: NetworkRequest, text: string, device: string | undefined): NetConf {
  const config: NetConf = JSON.parse(text);
  const addition = (plugin: NetConf): NetConf => ({
    ...plugin,
    ...(device === undefined ? {} : { deviceID: device, pciBusID: device }),
    ...(request.cniArgs === undefined
      ? {}
      : { args: { ...plugin.args, cni: { ...plugin.args?.cni, ...request.cniArgs } } }),
  });
  const named = { ...config, name: config.name ?? request.name };
  if (config.plugins === undefined) return addition(named);
  return { ...named, plugins: config.plugins.map(addition) };
}

/** Those of the pod come twice, as from multus: once as it has read them, once as it was given them. */
function argsOf(args: string, { mac, ips }: NetworkRequest): string {
  const ofPod = args.split(";").filter((word) => word.startsWith("K8S_POD_"));
  return [
    ...["IgnoreUnknown=true", ...ofPod],
    args,
    ...(mac === undefined ? [] : [`MAC=${mac}`]),
    ...(ips.length === 0 ? [] : [`IP=${ips.join(",")}`]),
  ].filter((word) => word !== "").join(";");
}
