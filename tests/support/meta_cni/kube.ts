/** The few calls to the API server that the plugin needs, by the kubeconfig of its configuration. */

/** What is read of a pod or of a definition of a network. */
export interface KubeObject {
  readonly metadata: {
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly config?: string };
}

/** As much of a kubeconfig in JSON as is used. */
interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
  }[];
  readonly users: readonly {
    readonly user: {
      readonly "client-certificate-data": string;
      readonly "client-key-data": string;
    };
  }[];
}

export class Kube implements Disposable {
  readonly #server: string;
  readonly #client: Deno.HttpClient;

  /** `kubeconfig` is JSON and carries its certificates. */
  constructor(kubeconfig: string) {
    const { clusters, users }: Kubeconfig = JSON.parse(kubeconfig);
    const [cluster] = clusters;
    const [user] = users;
    if (cluster === undefined || user === undefined) throw new Error("The kubeconfig is empty");
    this.#server = cluster.cluster.server;
    this.#client = Deno.createHttpClient({
      caCerts: [atob(cluster.cluster["certificate-authority-data"])],
      cert: atob(user.user["client-certificate-data"]),
      key: atob(user.user["client-key-data"]),
    });
  }

  pod(namespace: string, name: string): Promise<KubeObject> {
    return this.#request("GET", `api/v1/namespaces/${namespace}/pods/${name}`);
  }

  definition(namespace: string, name: string): Promise<KubeObject> {
    const resource = "network-attachment-definitions";
    return this.#request(
      "GET",
      `apis/k8s.cni.cncf.io/v1/namespaces/${namespace}/${resource}/${name}`,
    );
  }

  /** Sets an annotation of a pod, by the way that is open to those who report its status. */
  async annotate(namespace: string, name: string, key: string, value: string): Promise<void> {
    await this.#request("PATCH", `api/v1/namespaces/${namespace}/pods/${name}/status`, {
      metadata: { annotations: { [key]: value } },
    });
  }

  async #request(method: string, path: string, body?: unknown): Promise<KubeObject> {
    const answer = await fetch(`${this.#server}/${path}`, {
      method,
      client: this.#client,
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined ? {} : {
        body: JSON.stringify(body),
        headers: { "content-type": "application/merge-patch+json" },
      }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} "${path}" answers ${answer.status}: ${text}`);
    return JSON.parse(text);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
