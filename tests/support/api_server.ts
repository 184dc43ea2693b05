/** A real etcd and kube-apiserver on loopback, for a test to talk to, stop, start and empty. */

import { Pki } from "../../scripts/local_cluster/pki.ts";
import { obtainPrograms } from "../../scripts/local_cluster/tools.ts";
import type { KubeAccess } from "../../src/kube/kube_access.ts";
import { until } from "./until.ts";

interface Programs {
  readonly etcd: string;
  readonly apiServer: string;
}

/** Obtains the programs if need be: the first time may take minutes. */
async function findPrograms(): Promise<Programs> {
  // deno-lint-ignore no-console -- it may be minutes until the first test runs
  const say = (line: string) => console.error(line);
  const { kubernetes, folders } = await obtainPrograms(say);
  for (const folder of [...folders, "/usr/bin", "/usr/local/bin"]) {
    const etcd = `${folder}/etcd`;
    if (await Deno.stat(etcd).then(() => true, () => false)) {
      return { etcd, apiServer: `${kubernetes}/kube-apiserver` };
    }
  }
  throw new Error("etcd is nowhere to be found");
}

/**
 * Ports that nobody listens at, all different. Not of those that the kernel gives out
 * (ip_local_port_range): it would give one to somebody else before the server that it is for has started.
 */
function freePorts(count: number): readonly number[] {
  using held = new DisposableStack();
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === 100) throw new Error(`No port from ${LOWEST_PORT} on is free`);
    const port = LOWEST_PORT + Math.floor(Math.random() * PORTS);
    try {
      // Held until all are found, so that none is found twice.
      const listener = Deno.listen({ hostname: "127.0.0.1", port });
      held.defer(() => listener.close());
      ports.push(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return ports;
}

const LOWEST_PORT = 20_000;
const PORTS = 10_000;

export class ApiServer implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #pki: Pki;
  readonly #programs: Programs;
  readonly #etcdPort: number;
  readonly #peerPort: number;
  #etcd: Deno.ChildProcess | undefined;
  #api: Deno.ChildProcess | undefined;

  private constructor(dir: string, programs: Programs) {
    this.#dir = dir;
    this.#pki = new Pki(`${dir}/pki`);
    this.#programs = programs;
    const [port = 0, etcdPort = 0, peerPort = 0] = freePorts(3);
    this.port = port;
    this.#etcdPort = etcdPort;
    this.#peerPort = peerPort;
  }

  /** Starts both, and waits until the server is ready. */
  static async start(): Promise<ApiServer> {
    const programs = await findPrograms();
    const server = new ApiServer(await Deno.makeTempDir({ prefix: "k8slan-api-" }), programs);
    try {
      await server.#pki.create();
      await server.#pki.issue("server", { user: "server", groups: [], names: ["IP:127.0.0.1"] });
      await server.#pki.issue("admin", { user: "admin", groups: ["system:masters"] });
      server.#startEtcd();
      server.startApi();
      await server.ready();
    } catch (error) {
      const log = await Deno.readTextFile(`${server.#dir}/api.log`).catch(() => "");
      await server[Symbol.asyncDispose]();
      throw new Error(`The API server did not start: ${log.slice(-2_000)}`, { cause: error });
    }
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#api!.pid;
  }

  /** Access for the holder of a certificate: as an administrator, or as `issue()` made it. */
  access(name = "admin"): KubeAccess {
    const client = {
      cert: Deno.readTextFileSync(this.#pki.certificate(name)),
      key: Deno.readTextFileSync(this.#pki.key(name)),
    };
    const caCerts = [Deno.readTextFileSync(this.#pki.authority)];
    return {
      server: this.url,
      credentials: () => Promise.resolve({ caCerts, client }),
      forget() {},
    };
  }

  /** Makes a certificate for `user`; by its name, `access()` uses it. */
  async issue(user: string, groups: readonly string[] = []): Promise<void> {
    await this.#pki.issue(user, { user, groups });
  }

  /** The kubeconfig of the administrator, or of whom `issue()` made a certificate for. */
  async kubeconfig(name = "admin"): Promise<string> {
    return await this.#pki.kubeconfig(name, this.url);
  }

  async ready(): Promise<void> {
    const { caCerts, client } = await this.access().credentials();
    using http = Deno.createHttpClient({ caCerts: [...caCerts], ...client! });
    await until("the API server is ready", async () => {
      const signal = AbortSignal.timeout(2_000);
      const answer = await fetch(`${this.url}/readyz`, { client: http, signal });
      return await answer.text() === "ok";
    }, { timeout: 60_000, interval: 50 });
  }

  /** Starts the API server, which must not run. */
  startApi(): void {
    const pki = this.#pki;
    const serviceAccounts = pki.key("service-accounts");
    this.#api = this.#spawn("api", this.#programs.apiServer, [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
      "--advertise-address=127.0.0.1",
      "--bind-address=127.0.0.1",
      `--secure-port=${this.port}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      `--client-ca-file=${pki.authority}`,
      `--tls-cert-file=${pki.certificate("server")}`,
      `--tls-private-key-file=${pki.key("server")}`,
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${serviceAccounts}`,
      `--service-account-signing-key-file=${serviceAccounts}`,
      "--authorization-mode=RBAC",
      "--allow-privileged",
      // Neither makes a service account for each namespace: there is no controller manager.
      "--disable-admission-plugins=ServiceAccount",
    ]);
  }

  /** Ends the API server, by SIGTERM or as told. */
  async stopApi(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    await end(this.#api, signal);
    this.#api = undefined;
  }

  /** Lets the API server stand still, as does a machine out of reach. */
  freeze(): void {
    this.#api?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#api?.kill("SIGCONT");
  }

  /** Forgets all objects, as after a restore gone wrong. */
  async emptyEtcd(): Promise<void> {
    await this.stopApi("SIGKILL");
    await end(this.#etcd, "SIGKILL");
    await Deno.remove(`${this.#dir}/etcd`, { recursive: true });
    this.#startEtcd();
    this.startApi();
    await this.ready();
  }

  #startEtcd(): void {
    const [client, peer] = [this.#etcdPort, this.#peerPort].map((p) => `http://127.0.0.1:${p}`);
    this.#etcd = this.#spawn("etcd", this.#programs.etcd, [
      `--data-dir=${this.#dir}/etcd`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--unsafe-no-fsync",
      "--log-level=error",
    ]);
  }

  #spawn(name: string, program: string, args: readonly string[]): Deno.ChildProcess {
    // The shell writes the log; `exec` leaves no shell between the program and its signals.
    return new Deno.Command("sh", {
      args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", `${this.#dir}/${name}.log`]
        .concat(program, args),
      clearEnv: true,
      env: { HOME: this.#dir, PATH: "/usr/bin:/bin" },
      cwd: this.#dir,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#api, "SIGKILL");
    await end(this.#etcd, "SIGKILL");
    await Deno.remove(this.#dir, { recursive: true });
  }
}

async function end(child: Deno.ChildProcess | undefined, signal: Deno.Signal): Promise<void> {
  if (child === undefined) return;
  try {
    child.kill(signal);
  } catch { /* it has ended */ }
  await child.status;
}
