/**
 * The command line as a tree: names, options, help. What a command does is loaded when it runs, so
 * that `--help` and a shell's completion cost nothing but this file.
 */

import { Command, Option } from "commander";
import {
  AGENT_SOCKET_ENV,
  DEFAULT_AGENT_HEALTH_PORT,
  DEFAULT_AGENT_SOCKET,
  DEFAULT_CNI_BIN_DIR,
  DEFAULT_KUBELET_DIR,
  DEFAULT_PROBE_SECONDS,
  DEFAULT_RUN_DIR,
  DEFAULT_STATE_DIR,
  MTU_MAX,
  MTU_MIN,
  NETNS_DIR_NAME,
  PROBE_SECONDS_MAX,
  SYSTEM_NAMESPACE,
} from "../api/names.ts";
import { version } from "../version.ts";
import type { AgentCommandOptions } from "./agent.ts";
import type { AttachOptions } from "./attach.ts";
import type { CleanupCommandOptions } from "./cleanup.ts";
import type { Shell } from "./completion.ts";
import type { ControllerCommandOptions } from "./controller.ts";
import type { DetachOptions } from "./detach.ts";
import { ExitCode } from "./exit_code.ts";
import type { CliHost } from "./host.ts";
import type { PlanOptions } from "./plan.ts";
import type { StatusOptions } from "./status.ts";
import type { ValidateOptions } from "./validate.ts";
import { interfaceName, lanReference, tapOwner, unicastMac, vtep, wholeNumber } from "./values.ts";
import type { VersionOptions } from "./version.ts";

export interface Program {
  readonly root: Command;
  /** Exit code of the command that has run. */
  readonly exitCode: () => number;
}

/** Kernel's largest MTU of a device that says no less (ETH_MAX_MTU). Bytes. */
const UNDERLAY_MTU_MAX = 65_535;
/** The least a Linux interface may have (ETH_MIN_MTU). Bytes. */
const INTERFACE_MTU_MIN = 68;
/** Columns, the same on every terminal, so that help can be quoted. */
const HELP_WIDTH = 100;

/** Builds the tree; nothing runs until `parseAsync`. */
export function buildProgram(host: CliHost): Program {
  let exitCode: number = ExitCode.Ok;
  const root = new Command("k8slan")
    .description("Private Ethernet segments across nodes, for pods, VMs and plain hosts.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ sortSubcommands: false })
    .exitOverride();

  /** A command whose action gives the exit code. */
  function add<Options>(
    name: string,
    description: string,
    examples: readonly string[],
    action: (options: Options) => Promise<number>,
  ): Command {
    const lines = examples.map((example) => `  ${example}\n`).join("");
    return root.command(name)
      .description(description)
      .addHelpText(
        "after",
        `\n${examples.length > 1 ? "Examples" : "Example"}:\n${lines.trimEnd()}`,
      )
      .action(async (options: Options) => {
        exitCode = await action(options);
      });
  }

  add<AgentCommandOptions>(
    "agent",
    "Serve this node: LANs are built when workloads attach and go with the last.",
    [
      "k8slan agent --standalone --lans /etc/k8slan/lans",
      "k8slan agent --node worker1 --kubeconfig /etc/k8slan/kubeconfig",
    ],
    async (options) => await (await import("./agent.ts")).agent(options, host),
  )
    .option("--standalone", "without Kubernetes: LANs come from files")
    .option("--lans <dir>", "folder of LAN files, watched for changes")
    .option(
      "--peers <file>",
      "the other nodes' IPv6 addresses, one a line, for LANs with a unicast underlay; watched",
    )
    .option("--node <name>", "name of this node (default: NODE_NAME, else the host name)")
    .option("--kubeconfig <file>", "API server to use (default: as kubectl; in a pod, its own)")
    .option("--kubelet-dir <dir>", `kubelet's folder (default: "${DEFAULT_KUBELET_DIR}")`)
    .option(
      "--cni-bin-dir <dir>",
      `where this program installs itself as CNI plugin (default: "${DEFAULT_CNI_BIN_DIR}")`,
    )
    .addOption(
      new Option(
        "--health-port <number>",
        `port of the loopback for probes, 0 for none (default: ${DEFAULT_AGENT_HEALTH_PORT}; none with --standalone)`,
      ).argParser(wholeNumber(0, 65_535)),
    )
    .option("--run-dir <dir>", "socket and network namespaces", DEFAULT_RUN_DIR)
    .option("--state-dir <dir>", "caches that survive a reboot", DEFAULT_STATE_DIR)
    .addOption(
      new Option("--tap-owner <uid:gid>", "owner of /dev/tapN")
        .argParser(tapOwner).default({ uid: 107, gid: 107 }, "107:107, QEMU's"),
    )
    .addOption(
      new Option(
        "--probe-interval <seconds>",
        "between two looks whether other nodes are reached, 0 for none",
      )
        .argParser(wholeNumber(0, PROBE_SECONDS_MAX)).default(DEFAULT_PROBE_SECONDS),
    )
    .addOption(logLevelOption());

  add<ControllerCommandOptions>(
    "controller",
    "Serve a cluster: LANs get their status and their network attachment definitions.",
    ["k8slan controller --kubeconfig ~/.kube/config --log-level debug"],
    async (options) => await (await import("./controller.ts")).controller(options, host),
  )
    .option("--kubeconfig <file>", "API server to use (default: as kubectl; in a pod, its own)")
    .option("--namespace <name>", "namespace of the controller itself", SYSTEM_NAMESPACE)
    .addOption(portOption("--webhook-port", "port of the webhook, for the API server", 9443))
    .addOption(portOption("--health-port", "port for probes: /healthz, /readyz", 8081))
    .addOption(portOption("--metrics-port", "port for Prometheus: /metrics", 8080))
    .option(
      "--webhook-certificate-dir <dir>",
      "tls.crt and tls.key that others renew (default: its own, in a Secret)",
    )
    .addOption(logLevelOption());

  add<PlanOptions>(
    "plan",
    "Print the shell commands that build LANs by hand; touch nothing.",
    [
      "k8slan plan -f lan.yaml --node worker1",
      "k8slan plan -f lan.yaml --attach pod1=/run/netns/blue | sudo sh -e",
    ],
    async (options) => await (await import("./plan.ts")).plan(options, host),
  )
    .addOption(filesOption())
    .option("--node <name>", "node to plan for (default: NODE_NAME, else the host name)")
    .addOption(
      new Option("--underlay-mtu <bytes>", "MTU that the underlay device is taken to have")
        .argParser(wholeNumber(MTU_MIN, UNDERLAY_MTU_MAX)).default(1500),
    )
    .addOption(
      new Option("--address <ipv6>", "the node's own address, for LANs with a unicast underlay")
        .argParser(vtep),
    )
    .addOption(
      new Option("--peer <ipv6...>", "another node's address, for the same")
        .argParser<string[]>((text, before) => [...before ?? [], vtep(text)]),
    )
    .option("--spoke <name...>", "only these spokes (default: all)")
    .option(
      "--attach <spoke=netns...>",
      "also what attaching makes: SPOKE=NETNS[:IFNAME][,veth]",
    )
    .option(
      "--netns-dir <dir>",
      "folder of the LANs' network namespaces",
      `${DEFAULT_RUN_DIR}/${NETNS_DIR_NAME}`,
    )
    .addOption(outputOption("text", "json"));

  add<ValidateOptions>(
    "validate",
    "Check LAN files, and whether their LANs exclude each other.",
    ["k8slan validate -f lan.yaml", "kubectl get lans -A -o yaml | k8slan validate -f -"],
    async (options) => await (await import("./validate.ts")).validate(options, host),
  )
    .addOption(filesOption())
    .addOption(outputOption("text", "json"));

  add<StatusOptions>(
    "status",
    "Show this node's LANs, attachments and problems.",
    ["k8slan status", "k8slan status -o json | jq '.lans[].state'"],
    async (options) => await (await import("./status.ts")).status(options, host),
  )
    .addOption(socketOption())
    .addOption(outputOption("table", "wide", "json"))
    .addHelpText(
      "after",
      `\nExit code: ${ExitCode.Ok} all is well, ${ExitCode.Attention} something needs attention, ` +
        `${ExitCode.Failed} the agent does not answer.`,
    );

  add<AttachOptions>(
    "attach",
    "Attach a network namespace of this node to a LAN.",
    ["k8slan attach --lan lan-test --spoke pod1 --netns blue --ifname eth1"],
    async (options) => await (await import("./attach.ts")).attach(options, host),
  )
    .addOption(
      new Option("--lan <name>", "LAN, as NAME or NAMESPACE/NAME (default: the spoke's)")
        .argParser(lanReference),
    )
    .option("--spoke <name>", "spoke to take; none: a veth on a port without a name")
    .requiredOption("--netns <path>", "network namespace: path, process id or name")
    .addOption(ifnameOption())
    .addOption(
      new Option("--attach <kind>", "what the namespace gets").choices(["macvtap", "veth"]),
    )
    .addOption(new Option("--mac <address>", "address of the interface").argParser(unicastMac))
    .addOption(
      new Option("--mtu <bytes>", "MTU of the interface (default: the LAN's)")
        .argParser(wholeNumber(INTERFACE_MTU_MIN, MTU_MAX)),
    )
    .addOption(socketOption())
    .addOption(outputOption("text", "json"));

  add<DetachOptions>(
    "detach",
    "Take away what attach made; nothing left of it is fine too.",
    ["k8slan detach --netns blue --ifname eth1"],
    async (options) => await (await import("./detach.ts")).detach(options, host),
  )
    .option("--netns <path>", "network namespace, as given to attach")
    .option("--id <id>", "container id, as status -o wide shows it, instead of --netns")
    .addOption(ifnameOption())
    .addOption(socketOption())
    .addOption(outputOption("text", "json"));

  add<CleanupCommandOptions>(
    "cleanup",
    "Take everything of k8slan off this node; nothing that is not marked as its own is touched.",
    ["systemctl disable --now k8slan && k8slan cleanup"],
    async (options) => await (await import("./cleanup.ts")).cleanup(options, host),
  )
    .option(
      "--force",
      "also while workloads are attached, which lose their interfaces; the CNI plugin stays",
    )
    .option("--run-dir <dir>", "of the agent", DEFAULT_RUN_DIR)
    .option("--state-dir <dir>", "of the agent", DEFAULT_STATE_DIR)
    .option("--cni-bin-dir <dir>", "where the CNI plugin is", DEFAULT_CNI_BIN_DIR)
    .option("--kubelet-dir <dir>", "kubelet's folder", DEFAULT_KUBELET_DIR)
    .option("--host-root <dir>", "in a container: where folders of the host's root are mounted")
    .addOption(
      new Option("--stay <port>", "afterwards answer probes at this port of the loopback")
        .argParser(wholeNumber(1, 65_535)),
    )
    .addOption(outputOption("text", "json"));

  add<VersionOptions>(
    "version",
    "Print the version of the program and what it runs on.",
    ["k8slan version -o json"],
    async (options) => await (await import("./version.ts")).printVersion(options, host),
  )
    .addOption(outputOption("text", "json"));

  const completion = root.command("completion")
    .description("Print the script that makes a shell complete this command line.")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText("after", `\nExample:\n  source <(k8slan completion bash)`)
    .action(async (shell: Shell) => {
      exitCode = await (await import("./completion.ts")).completion(shell, root, host);
    });
  completion.registeredArguments[0]?.choices(["bash", "zsh", "fish"]);

  for (const command of [root, ...root.commands]) speakThrough(host, command, root);
  return { root, exitCode: () => exitCode };
}

/** Everything a command says goes to `host`; what is wrong with it in one line. */
function speakThrough(host: CliHost, command: Command, root: Command): void {
  const name = command === root ? root.name() : `${root.name()} ${command.name()}`;
  command.configureOutput({
    writeOut: (text) => host.out(text),
    writeErr: (text) => host.err(text),
    getOutHelpWidth: () => HELP_WIDTH,
    getErrHelpWidth: () => HELP_WIDTH,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
    outputError: (text, write) => {
      const said = text.trim().replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
      write(`k8slan: ${said.replace(/\.$/, "")}; see "${name} --help"\n`);
    },
  });
}

function filesOption(): Option {
  return new Option("-f, --file <file...>", "LAN files, folders of them, or - for standard input")
    .makeOptionMandatory();
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "least severe records to log")
    .choices(["debug", "info", "warn", "error"]).default("info");
}

function portOption(name: string, what: string, port: number): Option {
  return new Option(`${name} <number>`, what).argParser(wholeNumber(0, 65_535)).default(port);
}

function outputOption(first: string, ...others: string[]): Option {
  return new Option("-o, --output <format>", "form of the output")
    .choices([first, ...others]).default(first);
}

function socketOption(): Option {
  return new Option(
    "--socket <path>",
    `the agent's socket (default: ${AGENT_SOCKET_ENV}, else ${DEFAULT_AGENT_SOCKET})`,
  );
}

function ifnameOption(): Option {
  return new Option("--ifname <name>", "interface in the namespace")
    .argParser(interfaceName).default("net1");
}
