/** `k8slan controller` as a process, with the rights that the manifest gives it. */

import { DEFAULT_OPTIONS, userName } from "../../scripts/manifests/common.ts";
import type { ApiServer } from "./api_server.ts";
import { LabProcess } from "./lab_process.ts";
import { applyKinds } from "./manifest_install.ts";
import type { RawKube } from "./raw_kube.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const RIGHTS = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];
const POLICIES = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];

/** Installs what a controller needs, but for network attachment definitions, and its kubeconfig. */
export async function prepareControllers(
  server: ApiServer,
  admin: RawKube,
  kubeconfig: string,
): Promise<void> {
  await applyKinds(admin, ["Namespace", "CustomResourceDefinition", "ServiceAccount", "Secret"]);
  await applyKinds(admin, RIGHTS);
  await applyKinds(admin, POLICIES);
  const user = userName(DEFAULT_OPTIONS, "controller");
  const namespace = user.split(":")[2] ?? "";
  await server.issue(user, ["system:serviceaccounts", `system:serviceaccounts:${namespace}`]);
  await Deno.writeTextFile(kubeconfig, await server.kubeconfig(user));
}

export class ControllerProcess extends LabProcess {
  constructor(kubeconfig: string, name: string) {
    super([
      ...[Deno.execPath(), "run", "-A", "--frozen", MAIN, "controller"],
      ...["--kubeconfig", kubeconfig],
      ...["--webhook-port", "0", "--health-port", "0", "--metrics-port", "0"],
    ], { env: { POD_NAME: name } });
  }

  async leads(timeout = 20_000): Promise<void> {
    await this.waitFor(/Became leader/, timeout);
  }

  /** Resident memory. MiB. */
  async memory(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1_024;
  }

  /** Processor time that it has used. Milliseconds. */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10; // ticks of 10 ms
  }
}
