/**
 * Credentials from plugins and identity providers, by @kubernetes/client-node: the only file that
 * runs code of it. It takes a second and 100 MB to load, so only those who need it load this file.
 */

import { KubeConfig } from "@kubernetes/client-node";
import { K8slanError } from "../base/errors.ts";
import type { UserEntry } from "./kubeconfig.ts";

export interface PluginCredentials {
  readonly authorization?: string;
  readonly client?: { readonly cert: string; readonly key: string };
}

/** What KubeConfig fills in; a part of Node's `https.RequestOptions`. */
interface Filled {
  headers: Record<string, unknown>;
  cert?: unknown;
  key?: unknown;
}

/**
 * Asks the plugin or the provider of `user`; what it answers is kept until it expires. Make another
 * one to ask anew before that.
 */
export class PluginAuth {
  readonly #config = new KubeConfig();
  readonly #user: UserEntry;

  constructor(user: UserEntry, server: string) {
    this.#user = user;
    const { plugin, name } = user;
    const config = { ...plugin?.config };
    this.#config.loadFromOptions({
      clusters: [{ name: "cluster", server, skipTLSVerify: false }],
      users: [
        plugin?.kind === "exec"
          ? { name, exec: withExecInfo(config) }
          : { name, authProvider: config },
      ],
      contexts: [{ name: "context", cluster: "cluster", user: name }],
      currentContext: "context",
    });
  }

  /** Throws K8slanError "NoCredentials". */
  async get(): Promise<PluginCredentials> {
    const filled: Filled = { headers: {} };
    try {
      await this.#config.applyToHTTPSOptions(
        filled as Parameters<
          KubeConfig["applyToHTTPSOptions"]
        >[0],
      );
    } catch (error) {
      throw this.#failure("failed", error);
    }
    const authorization = filled.headers["Authorization"];
    const { cert, key } = filled;
    if (typeof authorization === "string") return { authorization };
    if (cert !== undefined && key !== undefined) {
      return { client: { cert: String(cert), key: String(key) } };
    }
    throw this.#failure("gave neither a token nor a certificate");
  }

  #failure(what: string, cause?: unknown): K8slanError {
    const { name, plugin } = this.#user;
    const text = `The ${plugin?.kind} of the kubeconfig's user "${name}" ${what}`;
    return new K8slanError("NoCredentials", text, { retriable: true, cause });
  }
}

/** Plugins ask for this variable; client-node doesn't set it. */
function withExecInfo(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { apiVersion, env } = config;
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const variable = { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) };
  const own: readonly unknown[] = Array.isArray(env) ? env : [];
  return { ...config, env: [variable, ...own] };
}
