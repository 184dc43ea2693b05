/** Kubeconfig files as data: what kubectl reads, merged as kubectl does. */

import { K8slanError } from "../base/errors.ts";
import { isRecord } from "./resource.ts";

type Fields = Readonly<Record<string, unknown>>;

/** One file. */
export interface KubeconfigFile {
  readonly path: string;
  /** Its content as YAML gives it. */
  readonly content: unknown;
}

/** What a context names, with paths of files made absolute. */
export interface KubeTarget {
  readonly context: string;
  readonly namespace?: string;
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
}

export interface ClusterEntry {
  readonly name: string;
  readonly server: string;
  readonly ca?: TextSource;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
}

export interface UserEntry {
  readonly name: string;
  readonly cert?: TextSource;
  readonly key?: TextSource;
  readonly token?: TextSource;
  readonly basic?: { readonly username: string; readonly password: string };
  /** For a plugin or an identity provider: `exec` or `auth-provider`, as in the file. */
  readonly plugin?: { readonly kind: "exec" | "auth-provider"; readonly config: Fields };
}

/** In the file itself, or in a file of its own. */
export type TextSource = { readonly text: string } | { readonly path: string };

/**
 * The context `wanted`, or the current one, of `files`, of which earlier ones win. Throws
 * K8slanError "BadKubeconfig".
 */
export function kubeTarget(files: readonly KubeconfigFile[], wanted?: string): KubeTarget {
  const name = wanted ?? currentContext(files);
  if (name === undefined) {
    throw bad(`"${paths(files)}" names no current context; choose one of: ${contexts(files)}`);
  }
  const context = find(files, "contexts", "context", name);
  if (context === undefined) {
    throw bad(`"${paths(files)}" has no context "${name}"; there are: ${contexts(files)}`);
  }
  const reader = new Reader(context.file, `context "${name}"`, context.fields);
  const clusterName = reader.required("cluster");
  const userName = reader.text("user");
  const namespace = reader.text("namespace");
  const cluster = find(files, "clusters", "cluster", clusterName);
  if (cluster === undefined) {
    throw bad(
      `Context "${name}" names the cluster "${clusterName}", which "${paths(files)}" lacks`,
    );
  }
  const user = userName === undefined ? undefined : find(files, "users", "user", userName);
  if (userName !== undefined && user === undefined) {
    throw bad(`Context "${name}" names the user "${userName}", which "${paths(files)}" lacks`);
  }
  return {
    context: name,
    ...(namespace === undefined ? {} : { namespace }),
    cluster: decodeCluster(clusterName, cluster),
    user: user === undefined ? { name: "" } : decodeUser(userName ?? "", user),
  };
}

interface Entry {
  readonly file: KubeconfigFile;
  readonly fields: Fields;
}

function currentContext(files: readonly KubeconfigFile[]): string | undefined {
  for (const { content } of files) {
    const name = isRecord(content) ? content["current-context"] : undefined;
    if (typeof name === "string" && name !== "") return name;
  }
  return undefined;
}

function find(
  files: readonly KubeconfigFile[],
  list: string,
  part: string,
  name: string,
): Entry | undefined {
  for (const file of files) {
    for (const entry of entries(file, list)) {
      const fields = entry[part];
      if (entry["name"] === name) return { file, fields: isRecord(fields) ? fields : {} };
    }
  }
  return undefined;
}

function entries({ content }: KubeconfigFile, list: string): readonly Fields[] {
  const found: unknown = isRecord(content) ? content[list] : undefined;
  return Array.isArray(found) ? found.filter(isRecord) : [];
}

function contexts(files: readonly KubeconfigFile[]): string {
  const found = files.flatMap((file) => entries(file, "contexts")).map(({ name }) => `"${name}"`);
  return found.length === 0 ? "none" : [...new Set(found)].join(", ");
}

function paths(files: readonly KubeconfigFile[]): string {
  return files.map(({ path }) => path).join(":");
}

function decodeCluster(name: string, { file, fields }: Entry): ClusterEntry {
  const reader = new Reader(file, `cluster "${name}"`, fields);
  reader.refuse(
    "insecure-skip-tls-verify",
    "which is refused: anybody on the way could take over the cluster; give the server's " +
      "certificate authority as certificate-authority",
  );
  const server = reader.required("server");
  if (!URL.canParse(server)) {
    throw bad(`${reader.what} has the server "${server}", which is no URL`);
  }
  const ca = reader.source("certificate-authority");
  const tlsServerName = reader.text("tls-server-name");
  const proxyUrl = reader.text("proxy-url");
  return {
    name,
    server: server.replace(/\/+$/, ""),
    ...(ca === undefined ? {} : { ca }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
  };
}

function decodeUser(name: string, { file, fields }: Entry): UserEntry {
  const reader = new Reader(file, `user "${name}"`, fields);
  for (const field of ["as", "as-uid", "as-groups", "as-user-extra"]) {
    reader.refuse(field, "but k8slan doesn't act as another user");
  }
  const [cert, key] = [reader.source("client-certificate"), reader.source("client-key")];
  if ((cert === undefined) !== (key === undefined)) {
    throw bad(`${reader.what} has a client certificate or key without the other`);
  }
  const tokenFile = reader.path("tokenFile");
  const tokenText = reader.text("token");
  // As kubectl has it: the file wins.
  const token = tokenFile ?? (tokenText === undefined ? undefined : { text: tokenText });
  const [username, password] = [reader.text("username"), reader.text("password")];
  const kind = (["exec", "auth-provider"] as const).find((field) => isRecord(fields[field]));
  const config = kind === undefined ? undefined : fields[kind];
  return {
    name,
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token }),
    ...(username === undefined ? {} : { basic: { username, password: password ?? "" } }),
    ...(kind === undefined || !isRecord(config)
      ? {}
      : { plugin: { kind, config: withAbsoluteCommand(config, reader) } }),
  };
}

/** A command with a slash is meant from the folder of its kubeconfig. */
function withAbsoluteCommand(config: Fields, reader: Reader): Fields {
  const { command } = config;
  if (typeof command !== "string" || !command.includes("/")) return config;
  return { ...config, command: reader.absolute(command) };
}

/** Fields of one entry; what is of another type than it should be is refused. */
class Reader {
  readonly what: string;
  readonly #folder: string;
  readonly #fields: Fields;

  constructor({ path }: KubeconfigFile, what: string, fields: Fields) {
    this.what = `In "${path}", ${what}`;
    this.#folder = path.includes("/") ? path.replace(/[^/]*$/, "") : "./";
    this.#fields = fields;
  }

  text(field: string): string | undefined {
    const value = this.#fields[field];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw bad(`${this.what} has ${field}, which is no text`);
    return value;
  }

  required(field: string): string {
    const text = this.text(field);
    if (text === undefined) throw bad(`${this.what} has no ${field}`);
    return text;
  }

  refuse(field: string, why: string): void {
    const value = this.#fields[field];
    if (value === undefined || value === null || value === "" || value === false) return;
    throw bad(`${this.what} has ${field}, ${why}`);
  }

  path(field: string): { readonly path: string } | undefined {
    const text = this.text(field);
    return text === undefined ? undefined : { path: this.absolute(text) };
  }

  /** `<field>-data` (Base64), or else the file that `field` names. */
  source(field: string): TextSource | undefined {
    const data = this.text(`${field}-data`);
    if (data === undefined) return this.path(field);
    try {
      return { text: atob(data) };
    } catch {
      throw bad(`${this.what} has ${field}-data, which is no Base64`);
    }
  }

  absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#folder}${path}`;
  }
}

function bad(message: string): K8slanError {
  return new K8slanError("BadKubeconfig", message);
}
