/**
 * A CNI plugin that gives pods further interfaces as multus does, for clusters of tests where multus
 * can't be had: annotation, definitions and devices to delegates, which it runs in order, and undoes
 * when one fails. DEL goes by what ADD has written down.
 */

import {
  type CniResult,
  type Delegate,
  DelegateError,
  type NetConf,
  runDelegate,
} from "./delegate.ts";
import { makeDelegates, resourceName } from "./delegates.ts";
import { Kube } from "./kube.ts";
import { networkStatus } from "./network_status.ts";
import { parseNetworks } from "./networks.ts";
import { podDevices } from "./pod_resources.ts";

const VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const RECORDS = "/var/lib/cni/meta-cni";
const NETWORKS = "k8s.v1.cni.cncf.io/networks";
const STATUS = "k8s.v1.cni.cncf.io/network-status";

interface Config {
  readonly cniVersion: string;
  readonly kubeconfig: string;
  /** The first is the network that every pod is on. */
  readonly delegates: readonly NetConf[];
}

/** Thrown for what the runtime may try again (CNI error 11). */
class TryAgainError extends Error {}

async function add(config: Config): Promise<string> {
  const namespace = podArg("K8S_POD_NAMESPACE");
  const name = podArg("K8S_POD_NAME");
  using kube = new Kube(await Deno.readTextFile(config.kubeconfig));
  const pod = await kube.pod(namespace, name);
  if (pod.metadata.uid !== podArg("K8S_POD_UID")) {
    throw new TryAgainError(`Pod "${namespace}/${name}" has been replaced by another of that name`);
  }
  const requests = parseNetworks(pod.metadata.annotations?.[NETWORKS] ?? "", namespace);
  const definitions = await Promise.all(
    requests.map((request) => kube.definition(request.namespace, request.name)),
  );
  const isBound = definitions.some((definition) => resourceName(definition) !== undefined);
  const devices = isBound ? await podDevices(namespace, name) : new Map();
  const delegates = [
    defaultDelegate(config),
    ...makeDelegates(requests, definitions, devices, env("CNI_ARGS")),
  ];

  const results = await addAll(delegates);
  if (requests.length > 0) {
    const names = ["pods", ...requests.map((request) => `${request.namespace}/${request.name}`)];
    const statuses = results.map((result, at) =>
      networkStatus(names[at] ?? "", delegates[at]?.ifname ?? "", result, at === 0)
    );
    await kube.annotate(namespace, name, STATUS, JSON.stringify(statuses, undefined, 2));
  }
  return JSON.stringify({ ...results[0], cniVersion: config.cniVersion });
}

/** Runs ADD on each; when one fails, DEL on it and all before. */
async function addAll(delegates: readonly Delegate[]): Promise<readonly CniResult[]> {
  const done: Delegate[] = [];
  try {
    for (const delegate of delegates) {
      done.push(delegate);
      await writeRecord(done); // a process that is killed now leaves something to go by
      done[done.length - 1] = { ...delegate, result: await runDelegate("ADD", delegate) };
    }
    await writeRecord(done);
    return done.map(({ result }) => result ?? {});
  } catch (error) {
    await deleteAll(done).catch(() => {
      // The first failure is the one to report; the runtime calls DEL again.
    });
    throw error;
  }
}

async function del(config: Config): Promise<string> {
  await deleteAll(await readRecord() ?? [defaultDelegate(config)]);
  return "";
}

/** Runs DEL on all, the last first, also when some fail; forgets them when none has. */
async function deleteAll(delegates: readonly Delegate[]): Promise<void> {
  const failures: unknown[] = [];
  for (const delegate of delegates.toReversed()) {
    await runDelegate("DEL", delegate).catch((error) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
  await Deno.remove(recordPath()).catch(() => {}); // there was none
}

/** CHECK, STATUS and GC concern the pods' own network alone, as with multus. */
async function forward(config: Config): Promise<string> {
  const [first = defaultDelegate(config)] = await readRecord() ?? [];
  await runDelegate(env("CNI_COMMAND"), first);
  return "";
}

function defaultDelegate({ delegates: [config] }: Config): Delegate {
  if (config === undefined) throw new Error("The configuration has no delegates");
  return { config, ifname: env("CNI_IFNAME"), args: env("CNI_ARGS"), runtimeConfig: {} };
}

function recordPath(): string {
  return `${RECORDS}/${encodeURIComponent(env("CNI_CONTAINERID"))}.json`;
}

async function writeRecord(delegates: readonly Delegate[]): Promise<void> {
  await Deno.mkdir(RECORDS, { recursive: true });
  await Deno.writeTextFile(`${recordPath()}.new`, JSON.stringify(delegates));
  await Deno.rename(`${recordPath()}.new`, recordPath());
}

async function readRecord(): Promise<readonly Delegate[] | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(recordPath()));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function env(name: string): string {
  return Deno.env.get(name) ?? "";
}

function podArg(name: string): string {
  const pair = env("CNI_ARGS").split(";").find((pair) => pair.startsWith(`${name}=`));
  if (pair === undefined) throw new Error(`CNI_ARGS has no ${name}`);
  return pair.slice(name.length + 1);
}

async function run(): Promise<string> {
  const command = env("CNI_COMMAND");
  if (command === "VERSION") {
    return JSON.stringify({ cniVersion: "1.1.0", supportedVersions: VERSIONS });
  }
  const config: Config = JSON.parse(await new Response(Deno.stdin.readable).text());
  switch (command) {
    case "ADD":
      return await add(config);
    case "DEL":
      return await del(config);
    case "CHECK":
    case "STATUS":
    case "GC":
      return await forward(config);
    default:
      throw new Error(`CNI_COMMAND is "${command}"`);
  }
}

async function print(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

if (import.meta.main) {
  try {
    await print(await run());
  } catch (error) {
    const msg = error instanceof Error ? error.message : String(error);
    const code = error instanceof TryAgainError ? 11 : 100;
    await print(JSON.stringify(
      error instanceof DelegateError
        ? { cniVersion: "1.0.0", ...error.json, msg }
        : { cniVersion: "1.0.0", code, msg },
    ));
    Deno.exit(1);
  }
}
