/** What an agent in a cluster makes of other nodes' reports, wired as `cluster/main.ts` wires it. */

import type { Attachment } from "../../src/agent/attachment.ts";
import { noProbes } from "../../src/agent/probes.ts";
import { validateLan } from "../../src/api/lan.ts";
import { ClusterMembership } from "../../src/cluster/main.ts";
import type { SpokePlace } from "../../src/cluster/spoke_moves.ts";
import { LinuxKernel } from "../../src/kernel/linux.ts";
import { LAN_NODES } from "../../src/kube/resources.ts";
import { markId } from "../../src/plan/mark.ts";
import type { AgentNode, LanDocument } from "./agent_lab.ts";
import { AgentParts } from "./agent_parts.ts";
import { FakeKubeApi } from "./fake_kube_api.ts";
import { lanObject } from "./kube_objects.ts";
import { attachmentOnNode, lanNodeObject } from "./lan_node_objects.ts";
import { TempDir } from "./temp_dir.ts";
import { until } from "./until.ts";

/** An attachment as a node reports it. */
export interface Held {
  readonly spoke: string;
  readonly mac: string;
}

/**
 * On a node whose LAN a standalone agent has made: that agent stays, and hears of no other node. What
 * this one finds and changes is the node's real tables; it neither makes nor removes anything.
 */
export class ClusterPart implements AsyncDisposable {
  readonly #api = new FakeKubeApi({ withStatus: [] });
  readonly #parts = new AgentParts([]);
  readonly #dir = new TempDir();
  readonly #kernel: LinuxKernel;
  readonly #membership: ClusterMembership;
  readonly #lanUid: string;
  /** Of the node itself. */
  readonly #attachment: Attachment;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** What other nodes held when their reports were last gone by. */
  #heard: readonly SpokePlace[] = [];

  constructor({ name: node, netnsDir }: AgentNode, { metadata: { name }, spec }: LanDocument) {
    const result = validateLan(lanObject(name, "1", spec));
    if (!("lan" in result)) throw new Error(`LAN "${name}" is not valid`);
    const { lan } = result;
    this.#lanUid = lan.metadata.uid;
    const { registry, attachments, taps, drift, log } = this.#parts;
    this.#kernel = new LinuxKernel(netnsDir);
    registry.replace([lan]);
    this.#attachment = {
      ...{
        containerId: "any",
        ifname: "net1",
        lan: `default/${name}`,
        attach: "veth",
        port: "any",
      },
      ...{ lanId: markId(this.#lanUid), netnsPath: `${netnsDir}/${lan.spec.ns}` },
    };
    attachments.restore(this.#attachment);
    const { path } = this.#dir;
    this.#membership = new ClusterMembership(
      Object.assign(this.#api, { [Symbol.dispose]: () => {} }),
      { kubeletDir: path, cniBinDir: path, env: () => undefined },
      {
        ...{ kernel: this.#kernel, registry, attachments, taps, drift, log },
        ...{ node: { name: node, netnsDir }, stateDir: path },
        ...{ look: () => {}, conditions: () => [], problems: () => [] },
        probes: {
          ...noProbes(() => true),
          changed: () => this.#heard = this.#membership.lans.places() ?? [],
        },
      },
    );
    this.#running = this.#membership.lans.watch(() => {}, this.#stop.signal);
  }

  /** Says for a node what it holds, as its agent would; returns when it has been taken in. */
  async hear(node: string, ...held: readonly Held[]): Promise<void> {
    const attachments = held.map(({ spoke, mac }) => (
      { ...attachmentOnNode(this.#lanUid, spoke), mac }
    ));
    const { status } = lanNodeObject(node, attachments);
    const metadata = { name: node };
    if (await this.#api.get(LAN_NODES, metadata) === undefined) {
      await this.#api.create(LAN_NODES, { metadata, ...(status && { status }) });
    } else await this.#api.patch(LAN_NODES, metadata, { type: "merge", body: { status } });
    const spokes = held.map(({ spoke }) => spoke).join();
    await until(`what ${node} says is taken in`, () => {
      const heard = this.#heard.filter((place) => place.node === node);
      return heard.map(({ spoke }) => spoke).join() === spokes;
    });
  }

  /** Has the node hold a spoke itself. */
  hold({ spoke, mac }: Held): void {
    const details = { network: "lan", mac, mtu: 1426, ips: [], routes: [] };
    const containerId = spoke;
    this.#parts.attachments.restore({ ...this.#attachment, containerId, spoke, details });
    this.#membership.changed();
  }

  /** Spokes, and the nodes that their workloads have left, as the log has them. */
  get forgotten() {
    return this.#parts.log.records.filter(({ msg }) => /^Forgot what was learned/.test(msg))
      .map(({ spoke, left }) => [spoke, left]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#membership[Symbol.dispose]();
    this.#kernel[Symbol.dispose]();
    this.#parts[Symbol.dispose]();
    this.#dir[Symbol.dispose]();
  }
}
