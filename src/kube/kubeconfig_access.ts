/** Access by kubeconfig files. */

import { K8slanError } from "../base/errors.ts";
import { CachedFile } from "./cached_file.ts";
import type { Credentials, KubeAccess } from "./kube_access.ts";
import { type KubeTarget, kubeTarget, type TextSource } from "./kubeconfig.ts";

/**
 * Access as the context `context`, or the current one, of the files has it. Files that are not there
 * are left out, as kubectl does. Throws K8slanError "BadKubeconfig".
 */
export async function kubeconfigAccess(
  paths: readonly string[],
  context?: string,
): Promise<KubeAccess> {
  const { parseYaml } = await import("./yaml_text.ts");
  const files: { path: string; content: unknown }[] = [];
  for (const path of paths) {
    const text = await Deno.readTextFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw bad(`Cannot read the kubeconfig "${path}"`, error);
    });
    if (text === undefined) continue;
    try {
      files.push({ path, content: parseYaml(text) });
    } catch (error) {
      throw bad(`The kubeconfig "${path}" is no YAML`, error);
    }
  }
  if (files.length === 0) throw bad(`There is no kubeconfig "${paths.join(":")}"`);
  return new KubeconfigAccess(kubeTarget(files, context));
}

class KubeconfigAccess implements KubeAccess {
  readonly server: string;
  readonly namespace?: string;
  readonly connectTo?: { readonly hostname: string; readonly port: number };
  readonly proxyUrl?: string;
  readonly #target: KubeTarget;
  readonly #files: readonly CachedFile[];
  #plugin: import("./client_node_auth.ts").PluginAuth | undefined;

  constructor(target: KubeTarget) {
    const { cluster: { server, ca, tlsServerName, proxyUrl }, user, namespace } = target;
    this.#target = target;
    this.server = server;
    if (namespace !== undefined) this.namespace = namespace;
    if (proxyUrl !== undefined) this.proxyUrl = proxyUrl;
    if (tlsServerName !== undefined) {
      if (proxyUrl !== undefined) {
        throw bad(`Context "${target.context}" has tls-server-name and proxy-url: one at a time`);
      }
      const url = new URL(server);
      this.connectTo = { hostname: url.hostname, port: Number(url.port || 443) };
      url.hostname = tlsServerName;
      this.server = url.href.replace(/\/+$/, "");
    }
    const sources = [ca, user.cert, user.key, user.token];
    this.#files = sources.flatMap((source) => {
      return source !== undefined && "path" in source ? [new CachedFile(source.path)] : [];
    });
  }

  async credentials(): Promise<Credentials> {
    const { cluster: { ca }, user: { cert, key, token, basic, plugin } } = this.#target;
    const caCerts = ca === undefined ? [] : [this.#read(ca)];
    const client = cert === undefined || key === undefined
      ? {}
      : { client: { cert: this.#read(cert), key: this.#read(key) } };
    if (token !== undefined) {
      return { authorization: `Bearer ${this.#read(token)}`, caCerts, ...client };
    }
    if (plugin !== undefined) return { caCerts, ...client, ...await this.#askPlugin() };
    if (basic !== undefined) {
      const { username, password } = basic;
      return { authorization: `Basic ${btoa(`${username}:${password}`)}`, caCerts, ...client };
    }
    return { caCerts, ...client };
  }

  forget(): void {
    for (const file of this.#files) file.forget();
    this.#plugin = undefined;
  }

  #read(source: TextSource): string {
    if ("text" in source) return source.text;
    const file = this.#files.find(({ path }) => path === source.path);
    return (file ?? new CachedFile(source.path)).read();
  }

  async #askPlugin() {
    if (this.#plugin === undefined) {
      const { PluginAuth } = await import("./client_node_auth.ts");
      this.#plugin = new PluginAuth(this.#target.user, this.server);
    }
    return await this.#plugin.get();
  }
}

function bad(message: string, cause?: unknown): K8slanError {
  return new K8slanError("BadKubeconfig", message, { cause });
}
