import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { downCluster } from "../../scripts/local_cluster/cluster.ts";
import { BUSYBOX_IMAGE } from "../../scripts/local_cluster/images.ts";
import { Pki } from "../../scripts/local_cluster/pki.ts";
import { obtainPrograms } from "../../scripts/local_cluster/tools.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { startDevicePlugin } from "../support/cluster_device_plugin.ts";
import { LabProcess, runProgram } from "../support/lab_process.ts";
import { rootTest } from "../support/netns_lab.ts";
import { say } from "../support/say.ts";
import { until } from "../support/until.ts";

rootTest("startCluster() makes a cluster that works, and leaves nothing", async (t) => {
  const before = await machine();
  let name = "";
  {
    await using cluster = await startCluster({ nodes: 2 });
    name = cluster.name;
    // Pods that several steps use.
    await cluster.apply([pod(cluster, "a", "worker1"), pod(cluster, "b", "worker2")]);
    await cluster.podReady("a");
    await cluster.podReady("b");
    for (const [title, step] of Object.entries(STEPS)) {
      await t.step(title, async () => await step(cluster));
    }
  }
  await t.step("downCluster() leaves the machine as it was", async () => {
    deepStrictEqual(await machine(), before);
    deepStrictEqual(await traces(name), []);
  });
});

rootTest("downCluster() removes what was half made when it crashed", async () => {
  const name = `crash-${Deno.pid}`;
  const log = `/var/lib/k8slan-cluster-${name}/components/apiserver/pid`;
  await obtainPrograms(say); // which may take longer than what is waited for below
  await using up = new LabProcess([SCRIPT, "--name", name, "up"]);
  await until("the API server has begun", () => Deno.stat(log), { timeout: 120_000 });
  up.kill("SIGKILL");
  ok((await traces(name)).length > 0);
  await downCluster(name);
  deepStrictEqual(await traces(name), []);
});

const SCRIPT = new URL("../../scripts/cluster", import.meta.url).pathname;

const STEPS: Readonly<Record<string, (cluster: TestCluster) => Promise<void>>> = {
  async "scripts/cluster speaks of it by its name"({ name, nodes, kubeconfig }) {
    const script = (...args: readonly string[]) => runProgram([SCRIPT, "--name", name, ...args]);
    const get = 'eval "$("$0" --name "$1" env)"; echo "$KUBECONFIG"; kubectl get nodes -o name';
    const names = nodes.map((node) => `node/${node.name}`);
    deepStrictEqual((await runProgram(["sh", "-euc", get, SCRIPT, name])).trim().split("\n"), [
      kubeconfig,
      ...names,
    ]);
    match(await script("status"), /^kubelet\.worker2 +\d+ +\d+ MiB/m);
    match(await script("up"), /is up after/);
    strictEqual((await script("exec", "worker2", "hostname")).trim(), nodes[1]?.name);
    strictEqual(await script("kubectl", "get", "nodes", "-o", "name"), `${names.join("\n")}\n`);
    await rejects(script("up", "--nodes", "3"), /has 2 nodes, not 3/);
  },

  async "pods of two nodes reach each other"(cluster) {
    const { podIP } = await status(cluster, "b");
    await cluster.kubectl(["exec", "a", "--", "ping", "-c", "1", "-w", "10", podIP]);
  },

  async "a node has a hostname of its own"(cluster) {
    const [node] = cluster.nodes;
    strictEqual((await node?.run(["hostname"]))?.trim(), node?.name);
  },

  async "kubectl logs shows what a pod wrote"(cluster) {
    strictEqual(await cluster.kubectl(["logs", "a"]), "hello\n");
  },

  async "the address of a service leads to its pod, from pods and from nodes"(cluster) {
    await cluster.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a" },
      spec: { selector: { app: "a" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    const jsonpath = "-o=jsonpath={.spec.clusterIP}";
    const url = `http://${await cluster.kubectl(["get", "service", "a", jsonpath])}/hostname`;
    const fetchPage = ["wget", "-q", "-O-", url];
    const [node] = cluster.nodes;
    await until("a pod gets the page", () => cluster.kubectl(["exec", "b", "--", ...fetchPage]));
    await until("a node gets the page", () => node?.run(["busybox", ...fetchPage]));
  },

  async "IPv6 multicast reaches the other node on both links"({ nodes: [first, second] }) {
    ok(first && second);
    for (const link of ["eth0", "eth1"]) {
      const list = ["ip", "-6", "-j", "addr", "show", "dev", link, "scope", "link"];
      const [{ addr_info: [address] }] = JSON.parse(await second.run(list));
      // All nodes of the link answer; beside the second answer of its own stands another's.
      const ping = ["ping", "-6", "-c", "2", "-w", "10", `ff02::1%${link}`];
      match(await first.run(ping), new RegExp(`from ${address.local}%${link}`));
    }
  },

  async "RBAC keeps service accounts out"(cluster) {
    const user = "--as=system:serviceaccount:default:default";
    await rejects(cluster.kubectl(["auth", "can-i", "list", "secrets", user]), /no/);
  },

  async "a node may not change another node"(cluster) {
    const [first, second] = cluster.nodes;
    const label = (node: string) => [
      ...["--kubeconfig", "/etc/kubernetes/kubelet.conf"],
      ...["label", "node", node, "example.com/x=y"],
    ];
    await first?.run(["kubectl", ...label(first.name)]);
    await rejects(
      Promise.resolve(first?.run(["kubectl", ...label(second?.name ?? "")])),
      /only its own Node object/,
    );
  },

  async "a policy in CEL refuses objects"(cluster) {
    await cluster.apply([
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingAdmissionPolicy",
        metadata: { name: "no-forbidden" },
        spec: {
          matchConstraints: { resourceRules: [CONFIG_MAPS] },
          validations: [{ expression: "object.metadata.name != 'forbidden'" }],
        },
      },
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name: "no-forbidden" },
        spec: { policyName: "no-forbidden", validationActions: ["Deny"] },
      },
    ]);
    const create = ["create", "configmap", "forbidden", "--dry-run=server"];
    await until(
      "the policy is in force",
      () =>
        cluster.kubectl(create).then(
          () => false,
          (error) => /ValidatingAdmissionPolicy/.test(error),
        ),
    );
  },

  async "a webhook behind a service is asked"(cluster) {
    await using webhook = await startWebhook(cluster);
    await webhook.waitFor(/Listening/);
    const create = ["create", "configmap", "any", "--dry-run=server"];
    await until(
      "the webhook refuses",
      () =>
        cluster.kubectl(create).then(() => false, (error) => /refused by the webhook/.test(error)),
    );
    await cluster.kubectl(["delete", "validatingwebhookconfiguration", "refuse"]);
  },

  async "a pod gets further interfaces by its annotation"(cluster) {
    await cluster.apply([
      definition("bridged", {
        type: "bridge",
        bridge: "lab0",
        ipam: { type: "host-local", subnet: "10.50.0.0/24" },
      }),
      pod(cluster, "two-nics", "worker1", {
        networks: [{ name: "bridged", interface: "lab1" }, { name: "bridged" }],
      }),
    ]);
    await cluster.podReady("two-nics");
    const links = await cluster.kubectl(["exec", "two-nics", "--", "ls", "/sys/class/net"]);
    deepStrictEqual(links.trim().split(/\s+/), ["eth0", "lab1", "lo", "net2"]);
    const { networks } = await status(cluster, "two-nics");
    deepStrictEqual(networks.map(({ name }) => name), [
      "pods",
      "default/bridged",
      "default/bridged",
    ]);
    await cluster.kubectl(["delete", "pod", "two-nics", "--wait=false"]);
  },

  async "the device of a pod reaches the plugin of its network"(cluster) {
    const [node] = cluster.nodes;
    ok(node);
    const folder = await node.path("/var/lib/kubelet/device-plugins");
    using _ = await startDevicePlugin(folder, "example.com/port", ["left"]);
    await node.run(["sh", "-c", 'cat >"$0"; chmod 755 "$0"', "/opt/cni/bin/witness"], {
      stdin: WITNESS_PLUGIN,
    });
    const resource = { "k8s.v1.cni.cncf.io/resourceName": "example.com/port" };
    await cluster.apply([
      definition("port", { type: "witness" }, resource),
      pod(cluster, "ported", "worker1", {
        networks: [{ name: "port" }],
        limits: { "example.com/port": "1" },
      }),
    ]);
    await cluster.podReady("ported");
    const config = JSON.parse(await node.run(["cat", "/var/lib/witness.json"]));
    strictEqual(config.deviceID, "left");
    await cluster.kubectl(["delete", "pod", "ported", "--wait=false"]);
  },

  async "pods outlive kubelet, containerd and the API server"(cluster) {
    const [node] = cluster.nodes;
    ok(node);
    const before = await node.sandboxPid("a");
    await node.kubelet.restart("SIGKILL");
    await node.containerd.restart("SIGKILL");
    await cluster.apiServer.restart();
    await until("a pod runs", () => cluster.kubectl(["exec", "a", "--", "true"]), {
      timeout: 60_000,
    });
    strictEqual(await node.sandboxPid("a"), before);
    strictEqual((await status(cluster, "a")).restarts, 0);
  },

  async "a paused API server keeps its callers waiting"(cluster) {
    await cluster.apiServer.pause();
    await rejects(cluster.kubectl(["get", "nodes", "--request-timeout=1s"]), /[Tt]imeout/);
    await cluster.apiServer.resume();
    await cluster.kubectl(["get", "nodes"]);
  },

  async "a killed sandbox is replaced"(cluster) {
    const node = cluster.node("worker2");
    const before = await node.sandboxPid("b");
    await node.killSandbox("b");
    await until("there is another sandbox", async () => await node.sandboxPid("b") !== before, {
      timeout: 60_000,
      interval: 200,
    });
  },

  async "an image goes to every node"(cluster) {
    deepStrictEqual(await cluster.loadImage(`${cluster.dir}/images.tar`), [
      "k8slan.io/cluster/busybox:1",
      "k8slan.io/cluster/pause:1",
    ]);
  },
};

const CONFIG_MAPS = {
  apiGroups: [""],
  apiVersions: ["v1"],
  operations: ["CREATE"],
  resources: ["configmaps"],
};

/** Writes down its configuration, and attaches nothing. */
const WITNESS_PLUGIN = `#!/bin/sh
[ "$CNI_COMMAND" != ADD ] || cat >/var/lib/witness.json
echo '{"cniVersion": "1.0.0"}'
`;

interface PodOptions {
  readonly networks?: readonly object[];
  readonly limits?: Readonly<Record<string, string>>;
}

function pod(
  cluster: TestCluster,
  name: string,
  node: string,
  { networks = [], limits = {} }: PodOptions = {},
) {
  const command = ["sh", "-c", "echo hello; httpd -p 8080 -h /etc; sleep infinity"];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { app: name },
      annotations: { "k8s.v1.cni.cncf.io/networks": JSON.stringify(networks) },
    },
    spec: {
      nodeSelector: { "kubernetes.io/hostname": cluster.node(node).name },
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "main",
        image: BUSYBOX_IMAGE,
        imagePullPolicy: "Never",
        command,
        resources: { limits },
      }],
    },
  };
}

function definition(name: string, config: object, annotations = {}) {
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name, annotations },
    spec: { config: JSON.stringify({ cniVersion: "1.0.0", ...config }) },
  };
}

async function status(cluster: TestCluster, name: string) {
  const { metadata, status } = JSON.parse(await cluster.kubectl(["get", "pod", name, "-o=json"]));
  const networks: readonly { readonly name: string }[] = JSON.parse(
    metadata.annotations["k8s.v1.cni.cncf.io/network-status"] ?? "[]",
  );
  const podIP: string = status.podIP;
  const restarts: number = status.containerStatuses[0].restartCount;
  return { networks, podIP, restarts };
}

/** A webhook on a node that refuses all, behind a service without a selector. */
async function startWebhook(cluster: TestCluster) {
  const [node] = cluster.nodes;
  ok(node);
  const pki = new Pki(`${cluster.dir}/pki`);
  await pki.issue("webhook", { user: "w", groups: [], names: ["DNS:refuse.default.svc"] });
  const program = new URL("refusing_webhook.ts", import.meta.url).pathname;
  const source = await Deno.readTextFile(program); // the node may not see where it lies
  const webhook = node.spawn(["/run/cluster/deno", "run", "-A", "--no-config", "-"], {
    stdin: source,
    env: {
      DENO_DIR: "/var/cache/deno",
      CERT: await Deno.readTextFile(pki.certificate("webhook")),
      KEY: await Deno.readTextFile(pki.key("webhook")),
    },
  });
  const metadata = { name: "refuse", labels: { "kubernetes.io/service-name": "refuse" } };
  await cluster.apply([
    { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 443 }] } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata,
      addressType: "IPv4",
      endpoints: [{ addresses: [node.address], conditions: { ready: true } }],
      ports: [{ name: "", port: 9443 }],
    },
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "refuse" },
      webhooks: [{
        name: "refuse.example.com",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        rules: [CONFIG_MAPS],
        clientConfig: {
          service: { namespace: "default", name: "refuse" },
          caBundle: btoa(await Deno.readTextFile(pki.authority)),
        },
      }],
    },
  ]);
  return webhook;
}

/** What a cluster must not change. */
async function machine() {
  const links: readonly { readonly ifname: string }[] = JSON.parse(
    await runProgram(["ip", "-j", "link"]),
  );
  const settings = ["vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops"];
  return {
    links: links.map(({ ifname }) => ifname),
    routes: await runProgram(["ip", "route"]),
    settings: await runProgram(["sysctl", ...settings]),
  };
}

/** Whatever bears a cluster's name. */
async function traces(name: string): Promise<readonly string[]> {
  const word = `k8slan-cluster-${name}`;
  const found = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .filter((line) => line.includes(word));
  for (const folder of ["/var/lib", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd"]) {
    const isThere = await Deno.stat(`${folder}/${word}`).then(() => true, () => false);
    if (isThere) found.push(`${folder}/${word}`);
  }
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = await Deno.readTextFile(`/proc/${name}/cgroup`).catch(() => "");
    const command = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    // A dead process without a command line waits for its parent to take notice.
    if (text.includes(word) && command !== "") found.push(`/proc/${name}: ${command}`);
  }
  return found;
}
