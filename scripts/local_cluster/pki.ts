/** Certificates, keys and kubeconfigs: one authority that is made anew for every cluster. */

import { runProgram } from "../../tests/support/lab_process.ts";

/** Whom the API server takes the holder of a certificate for. */
export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
  /** Names and addresses of a server, such as "DNS:kubernetes" and "IP:127.0.0.1". */
  readonly names?: readonly string[];
}

const DAYS = "3650";
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];

export class Pki {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  get authority(): string {
    return this.certificate("ca");
  }

  certificate(name: string): string {
    return `${this.dir}/${name}.crt`;
  }

  key(name: string): string {
    return `${this.dir}/${name}.key`;
  }

  /** Makes the authority, and the key that signs tokens of service accounts. */
  async create(): Promise<void> {
    await Deno.mkdir(this.dir, { recursive: true, mode: 0o700 });
    await runProgram([
      ...["openssl", "req", "-x509", "-days", DAYS, ...KEY, "-subj", "/CN=k8slan-cluster"],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
      ...["-keyout", this.key("ca"), "-out", this.authority],
    ]);
    // Kubernetes takes this old form of a key alone.
    const curve = ["-name", "prime256v1", "-noout"];
    await runProgram(
      ["openssl", "ecparam", "-genkey", ...curve, "-out", this.key("service-accounts")],
    );
  }

  /** Makes the certificate and the key `name`, for a client and, if it has names, a server. */
  async issue(name: string, { user, groups, names = [] }: Identity): Promise<void> {
    const subject = [...groups.map((group) => `/O=${group}`), `/CN=${user}`].join("");
    const usage = names.length === 0 ? "clientAuth" : "clientAuth,serverAuth";
    await runProgram([
      ...["openssl", "req", "-x509", "-days", DAYS, ...KEY, "-subj", subject],
      ...["-CA", this.authority, "-CAkey", this.key("ca")],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `extendedKeyUsage=${usage}`],
      ...(names.length === 0 ? [] : ["-addext", `subjectAltName=${names.join(",")}`]),
      ...["-keyout", this.key(name), "-out", this.certificate(name)],
    ]);
  }

  /** A kubeconfig that carries all it needs, for the holder of certificate `name`. */
  async kubeconfig(name: string, server: string): Promise<string> {
    const [authority, certificate, key] = await Promise.all(
      [this.authority, this.certificate(name), this.key(name)].map(async (path) =>
        btoa(await Deno.readTextFile(path))
      ),
    );
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name: "k8slan",
        cluster: { server, "certificate-authority-data": authority },
      }],
      users: [{
        name,
        user: { "client-certificate-data": certificate, "client-key-data": key },
      }],
      contexts: [{ name: "k8slan", context: { cluster: "k8slan", user: name } }],
      "current-context": "k8slan",
    };
    return `${JSON.stringify(config, undefined, 2)}\n`; // JSON is YAML
  }
}
