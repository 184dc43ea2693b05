/** Which API server is meant, found as kubectl finds it. */

import { K8slanError } from "../base/errors.ts";
import { inClusterAccess } from "./in_cluster.ts";
import type { KubeAccess } from "./kube_access.ts";
import { kubeconfigAccess } from "./kubeconfig_access.ts";

export interface AccessChoice {
  /** A kubeconfig file that must be used. */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig. */
  readonly context?: string;
  /** An environment variable. */
  readonly env: (name: string) => string | undefined;
}

/**
 * In this order: the file that was asked for, those of KUBECONFIG, the pod's own ServiceAccount,
 * `~/.kube/config`. Throws K8slanError "BadKubeconfig" or "NoCredentials".
 */
export async function findKubeAccess(
  { kubeconfig, context, env }: AccessChoice,
): Promise<KubeAccess> {
  if (kubeconfig !== undefined) {
    await Deno.stat(kubeconfig).catch((cause) => {
      throw new K8slanError("BadKubeconfig", `Cannot read the kubeconfig "${kubeconfig}"`, {
        cause,
      });
    });
    return await kubeconfigAccess([kubeconfig], context);
  }
  const paths = env("KUBECONFIG")?.split(":").filter((path) => path !== "") ?? [];
  if (paths.length > 0) return await kubeconfigAccess(paths, context);
  const [host, port] = [env("KUBERNETES_SERVICE_HOST"), env("KUBERNETES_SERVICE_PORT")];
  if (host && port && context === undefined) return inClusterAccess({ host, port });
  return await kubeconfigAccess([`${env("HOME") ?? "/root"}/.kube/config`], context);
}
