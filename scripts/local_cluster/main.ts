/** The commands of scripts/cluster. */

// deno-lint-ignore-file no-console

import { parseArgs } from "node:util";
import { type Cluster, downCluster, findCluster, kubectl, upCluster } from "./cluster.ts";
import { quote } from "./components.ts";
import { loadImage } from "./images.ts";
import { DEFAULT_NAME, inNode } from "./layout.ts";
import { nodeEnvironment } from "./node.ts";
import { obtainPrograms } from "./tools.ts";

/** A command's exit code, from the cluster's name and the arguments. */
type Command = (name: string, args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = {
  obtain,
  up,
  env: printEnv,
  kubectl: runKubectl,
  "load-image": load,
  exec,
  status,
  down,
};

async function main(args: readonly string[]): Promise<number> {
  const isNamed = args[0] === "--name";
  const name = isNamed ? args[1] ?? "" : Deno.env.get("K8SLAN_CLUSTER") || DEFAULT_NAME;
  const [command = "", ...rest] = isNamed ? args.slice(2) : args;
  const run = COMMANDS[command];
  if (run === undefined) {
    const known = Object.keys(COMMANDS).join(", ");
    console.error(`cluster: unknown command "${command}"; the commands are: ${known}`);
    return 2;
  }
  try {
    return await run(name, rest);
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      console.error(`cluster: ${cause.message}`);
    }
    return 1;
  }
}

async function obtain(): Promise<number> {
  const { kubernetes } = await obtainPrograms(say);
  console.log(`Kubernetes is in ${kubernetes}`);
  return 0;
}

async function up(name: string, args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { nodes: { type: "string" } } });
  const started = performance.now();
  const running = await findCluster(name);
  const nodes = Number(values.nodes ?? running?.state.nodes ?? 2);
  const { layout, state } = await upCluster({ name, nodes, say });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const command = `scripts/cluster${name === DEFAULT_NAME ? "" : ` --name ${name}`}`;
  console.log(`\
Cluster "${name}" is up after ${seconds} s: ${layout.nodes.map((node) => node.name).join(", ")}
Further interfaces of pods come from ${state.attacher}
State and logs are in ${layout.dir}

  eval "$(${command} env)"
  kubectl get nodes

  ${command} status    what runs and where its log is
  ${command} down      removes all of it`);
  return 0;
}

async function down(name: string): Promise<number> {
  await downCluster(name);
  console.log(`Cluster "${name}" is removed`);
  return 0;
}

async function printEnv(name: string): Promise<number> {
  const { layout } = await running(name);
  console.log(`export KUBECONFIG=${quote(layout.kubeconfig)}`);
  console.log(`export PATH=${quote(layout.binaries)}:"$PATH"`);
  return 0;
}

async function runKubectl(name: string, args: readonly string[]): Promise<number> {
  const { layout } = await running(name);
  return await handOver([
    `${layout.binaries}/kubectl`,
    `--kubeconfig=${layout.kubeconfig}`,
    ...args,
  ]);
}

async function load(name: string, args: readonly string[]): Promise<number> {
  const [archive] = args;
  if (archive === undefined || args.length > 1) {
    console.error("usage: scripts/cluster load-image FILE.tar");
    return 2;
  }
  const { layout, state } = await running(name);
  const env = nodeEnvironment(state.tools);
  for (const node of layout.nodes) {
    const images = await loadImage(node, env, archive);
    console.log(`${node.name}: ${images.join(", ")}`);
  }
  return 0;
}

async function exec(name: string, args: readonly string[]): Promise<number> {
  const [place, ...command] = args[1] === "--" ? args.toSpliced(1, 1) : args;
  const { layout, state } = await running(name);
  const node = layout.nodes.find((node) => node.name === place || node.shortName === place);
  if (node === undefined || command.length === 0) {
    const names = layout.nodes.map((node) => node.name).join(", ");
    console.error(`usage: scripts/cluster exec NODE COMMAND…; the nodes are: ${names}`);
    return 2;
  }
  const env = Object.entries(nodeEnvironment(state.tools)).map(([key, value]) => `${key}=${value}`);
  return await handOver(inNode(node, "env", ...env, ...command));
}

async function status(name: string): Promise<number> {
  const cluster = await running(name);
  const { layout, state, components } = cluster;
  console.log(`Cluster "${name}" in ${layout.dir}, attaching by ${state.attacher}`);
  const rows = [["COMPONENT", "PID", "MEMORY", "CPU", "LOG"]];
  let isWhole = true;
  for (const component of await components.names()) {
    const usage = await components.usage(component);
    isWhole &&= usage !== undefined;
    rows.push([
      component,
      usage === undefined ? "stopped" : String(usage.pid),
      usage === undefined ? "" : `${Math.round(usage.memory / 2 ** 20)} MiB`,
      usage === undefined ? "" : `${usage.cpu.toFixed(1)} s`,
      components.logPath(component),
    ]);
  }
  console.log(formatTable(rows));
  console.log(await nodeTable(cluster));
  return isWhole ? 0 : 1;
}

async function nodeTable(cluster: Cluster): Promise<string> {
  try {
    return await kubectl(cluster, ["--request-timeout=5s", "get", "nodes", "-o=wide"]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function running(name: string): Promise<Cluster> {
  const cluster = await findCluster(name);
  if (cluster === undefined) throw new Error(`No cluster "${name}" is up; run: scripts/cluster up`);
  return cluster;
}

/** Runs a program on this terminal and returns its exit code. */
async function handOver([command = "", ...args]: readonly string[]): Promise<number> {
  const child = new Deno.Command(command, { args }).spawn();
  // An interrupt reaches the program too, and the program decides.
  Deno.addSignalListener("SIGINT", () => {});
  return (await child.status).code;
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0))
  );
  return rows.map((row) => row.map((text, at) => text.padEnd(widths[at] ?? 0)).join("  ").trimEnd())
    .join("\n") + "\n";
}

function say(line: string): void {
  console.error(`cluster: ${line}`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
