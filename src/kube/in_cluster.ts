/** Access of a pod, as its ServiceAccount. */

import { type Clock, systemClock } from "../base/clock.ts";
import { K8slanError } from "../base/errors.ts";
import { CachedFile } from "./cached_file.ts";
import type { KubeAccess } from "./kube_access.ts";

/** Mounted into each pod by kubelet, which also renews the token there. */
export const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface InClusterPlace {
  /** KUBERNETES_SERVICE_HOST: a name or an address, IPv6 without brackets. */
  readonly host: string;
  /** KUBERNETES_SERVICE_PORT. */
  readonly port: string;
  readonly dir?: string;
  readonly clock?: Clock;
}

/** Throws K8slanError "NoCredentials" if the ServiceAccount's files are not there. */
export function inClusterAccess(place: InClusterPlace): KubeAccess {
  const { host, port, dir = SERVICE_ACCOUNT_DIR, clock = systemClock } = place;
  if (!/^\d{1,5}$/.test(port)) {
    throw new K8slanError(
      "NoCredentials",
      `KUBERNETES_SERVICE_PORT is "${port}", which is no port`,
    );
  }
  const token = new CachedFile(`${dir}/token`, clock);
  const ca = new CachedFile(`${dir}/ca.crt`, clock);
  const namespace = new CachedFile(`${dir}/namespace`, clock).read();
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace,
    credentials: () =>
      Promise.try(() => ({ authorization: `Bearer ${token.read()}`, caCerts: [ca.read()] })),
    forget() {
      token.forget();
      ca.forget();
    },
  };
}
