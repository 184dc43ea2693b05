/** Running the plugins of a configuration, one or a list, as a container runtime does. */

/** A CNI configuration: of one plugin, or with `plugins` of several. */
export interface NetConf {
  readonly cniVersion?: string;
  readonly name?: string;
  readonly type?: string;
  readonly plugins?: readonly NetConf[];
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly args?: { readonly cni?: Readonly<Record<string, unknown>> };
  readonly [key: string]: unknown;
}

/** A CNI result of version 0.3.0 or later. */
export interface CniResult {
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly mtu?: number;
    readonly sandbox?: string;
  }[];
  readonly ips?: readonly { readonly address: string; readonly interface?: number }[];
  readonly dns?: unknown;
}

/** An error as plugins print it. */
export interface CniErrorJson {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

export class DelegateError extends Error {
  readonly json: CniErrorJson;

  constructor(type: string, json: CniErrorJson) {
    super(`Plugin "${type}": ${json.msg}${json.details ? `: ${json.details}` : ""}`);
    this.json = json;
  }
}

/** One interface of a pod: which plugins make it, and with what. */
export interface Delegate {
  readonly config: NetConf;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args: string;
  /** Offered to plugins that declare the capability of the same name. */
  readonly runtimeConfig: Readonly<Record<string, unknown>>;
  /** The outcome of ADD, which DEL and CHECK are to be told. */
  readonly result?: CniResult;
}

/** Runs a verb on all plugins of a delegate; DEL backwards. The result is that of the last. */
export async function runDelegate(verb: string, delegate: Delegate): Promise<CniResult> {
  const { config, runtimeConfig } = delegate;
  const plugins = config.plugins ?? [config];
  let result = delegate.result;
  for (const plugin of verb === "DEL" ? plugins.toReversed() : plugins) {
    const wanted = Object.entries(runtimeConfig).filter(([key]) => plugin.capabilities?.[key]);
    const input = {
      ...plugin,
      cniVersion: config.cniVersion ?? "0.3.1",
      name: config.name,
      ...(wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) }),
      ...(result === undefined ? {} : { prevResult: result }),
    };
    const output = await runPlugin(verb, plugin.type ?? "", delegate, JSON.stringify(input));
    if (verb === "ADD") result = JSON.parse(output);
  }
  return result ?? {};
}

async function runPlugin(
  verb: string,
  type: string,
  { ifname, args }: Delegate,
  input: string,
): Promise<string> {
  const child = new Deno.Command(findPlugin(type), {
    env: { CNI_COMMAND: verb, CNI_IFNAME: ifname, CNI_ARGS: args },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {
    // It ended without reading; its exit code says whether that is a failure.
  });
  const { code, stdout } = await child.output();
  const output = new TextDecoder().decode(stdout);
  if (code !== 0) throw new DelegateError(type, parseError(output, code));
  return output;
}

function parseError(output: string, code: number): CniErrorJson {
  try {
    const json: CniErrorJson = JSON.parse(output);
    if (typeof json.msg === "string") return json;
  } catch {
    // Not in the form that plugins are to use.
  }
  return { code: 999, msg: `exit code ${code}: ${output}` };
}

function findPlugin(type: string): string {
  if (!/^[\w.-]+$/.test(type)) throw new Error(`Plugin type "${type}" is no file name`);
  const folders = (Deno.env.get("CNI_PATH") ?? "").split(":");
  for (const folder of folders) {
    try {
      if (Deno.statSync(`${folder}/${type}`).isFile) return `${folder}/${type}`;
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`Plugin "${type}" is in none of: ${folders.join(", ")}`);
}
