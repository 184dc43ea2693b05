/** Where an API server is, whom to trust there, and how to show who we are. */

export interface KubeAccess {
  /** `https://host:port`, without a slash at the end. */
  readonly server: string;
  /** Namespace to use where none is given. */
  readonly namespace?: string;
  /** Where to connect to, if not to the host in `server`, whose name the certificate shall have. */
  readonly connectTo?: { readonly hostname: string; readonly port: number };
  /** An HTTP(S) or SOCKS5 proxy on the way. */
  readonly proxyUrl?: string;
  /** What is valid now; asked before each request. Throws K8slanError "NoCredentials". */
  credentials(): Promise<Credentials>;
  /** The server refused the credentials: get new ones next time. */
  forget(): void;
}

export interface Credentials {
  /** Value of the Authorization header. */
  readonly authorization?: string;
  /** Certificate authorities, in PEM; trusted besides those that Deno trusts anyway. */
  readonly caCerts: readonly string[];
  /** Client certificate and its key, in PEM. */
  readonly client?: { readonly cert: string; readonly key: string };
}
