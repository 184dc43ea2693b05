/** The parts of an agent on a fake kernel, wired as `agentMain` wires them. */

import { AttachService } from "../../src/agent/attach_service.ts";
import { AttachmentRecords } from "../../src/agent/attachment_records.ts";
import { Attachments } from "../../src/agent/attachments.ts";
import { DriftWatch } from "../../src/agent/drift_watch.ts";
import { ForeignVxlans } from "../../src/agent/foreign_vxlans.ts";
import { LanBuilder } from "../../src/agent/lan_builder.ts";
import { LanRegistry } from "../../src/agent/lan_registry.ts";
import { Reconciler } from "../../src/agent/reconciler.ts";
import { recover } from "../../src/agent/recovery.ts";
import { TapIndexes } from "../../src/agent/tap_indexes.ts";
import type { AddRequest, AttachResult } from "../../src/api/agent_protocol.ts";
import type { Lan } from "../../src/api/lan.ts";
import { KeyedMutex } from "../../src/base/keyed_mutex.ts";
import type { NetOp } from "../../src/plan/ops.ts";
import type { Peers } from "../../src/plan/vtep.ts";
import { FakeKernel } from "./fake_kernel.ts";
import { FakeNetns } from "./fake_machine.ts";
import { seedLan } from "./lan_fixture.ts";
import { LogRecorder } from "./log_recorder.ts";
import { TempDir } from "./temp_dir.ts";

export const NODE = "worker1";
/** The namespaces of `AgentParts` that nothing is attached to yet. */
export const POD1 = "/run/netns/pod1";
export const POD2 = "/run/netns/pod2";

/** A node with underlay "eth1", two pods, and an agent that knows `lans`. */
export class AgentParts implements Disposable {
  readonly kernel: FakeKernel;
  readonly log = new LogRecorder();
  readonly registry = new LanRegistry();
  readonly records: AttachmentRecords;
  readonly attachments: Attachments;
  readonly taps: TapIndexes;
  readonly builder: LanBuilder;
  readonly mutex = new KeyedMutex();
  readonly service: AttachService;
  readonly drift: DriftWatch;
  readonly foreign: ForeignVxlans;
  readonly reconciler: Reconciler;
  /** LANs of which the service said that their attachments changed. */
  readonly changed: string[] = [];
  /** LANs that an event may concern. */
  readonly suspects: string[] = [];
  readonly node = NODE;
  /** The other nodes of LANs with a unicast underlay. */
  peers: Peers = "unnamed";
  readonly #dir: TempDir;
  readonly #ownsDir: boolean;

  constructor(lans: readonly Lan[] = [seedLan()], former?: AgentParts) {
    this.#dir = former === undefined ? new TempDir() : former.#dir;
    this.#ownsDir = former === undefined;
    this.kernel = former?.kernel ?? newKernel();
    const { kernel, registry, log } = this;
    this.records = new AttachmentRecords(this.recordsDir, log);
    this.attachments = new Attachments(this.records);
    this.taps = new TapIndexes(`${this.#dir.path}/taps.json`, NODE, log, () => false);
    this.builder = new LanBuilder(
      ...[kernel, { name: NODE, netnsDir: kernel.netnsDir }, log, () => this.peers] as const,
    );
    this.drift = new DriftWatch((lanId) => this.suspects.push(lanId), log);
    this.foreign = new ForeignVxlans({ node: NODE, kernel, changed: () => {}, log });
    this.service = new AttachService({
      ...this.#parts(),
      tapOwner: { uid: 107, gid: 107 },
      changed: (lanId) => this.changed.push(lanId),
    });
    this.reconciler = new Reconciler(this.#parts());
    registry.replace(lans);
  }

  #parts() {
    const { node, kernel, builder, registry, attachments, records, taps, mutex, drift, log } = this;
    const { service, foreign } = this;
    return {
      ...{ node, kernel, builder, registry, attachments, records, taps, mutex, drift, log },
      ...{ service, foreign },
    };
  }

  get recordsDir(): string {
    return `${this.#dir.path}/attachments`;
  }

  /** The agent ends, and another one starts on the same machine. */
  async restart(lans: readonly Lan[] = [seedLan()]): Promise<AgentParts> {
    const next = new AgentParts(lans, this);
    await recover(next);
    return next;
  }

  add(change: Partial<AddRequest> = {}, config: Record<string, unknown> = {}) {
    return this.service.add(addRequest(change, config));
  }

  /** Attaches spoke "pod1" to `POD1` and "pod2" to `POD2`, both as macvtap. */
  async addBoth(): Promise<AttachResult[]> {
    return [
      await this.add(),
      await this.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" }),
    ];
  }

  /** Fails operation `at`, counted from 0, once; `during` says whether it is still to come. */
  failOp(at: number): void {
    let count = 0;
    this.kernel.beforeOp = (op) => {
      if (count++ === at) throw new Error(`injected failure of "${op.op}"`);
    };
  }

  /** Fails every operation that `matches`. */
  failOps(matches: (op: NetOp) => boolean): void {
    this.kernel.beforeOp = (op) => {
      if (matches(op)) throw new Error(`injected failure of "${op.op}"`);
    };
  }

  healKernel(): void {
    this.kernel.beforeOp = () => {};
  }

  /** Everything that is on the machine. Namespaces go by their path. */
  snapshot(): unknown {
    const { files, taps } = this.kernel.machine;
    return {
      files: [...files].toSorted(([a], [b]) => a < b ? -1 : 1).map(([path, file]) => [
        path,
        file instanceof FakeNetns
          ? [...file.links.values()].map((link) => [link.info(), link.addresses, link.ipv6])
          : file,
      ]),
      taps: [...taps.keys()],
    };
  }

  [Symbol.dispose](): void {
    if (this.#ownsDir) this.#dir[Symbol.dispose]();
  }
}

function newKernel(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addUnderlay("eth1");
  for (const path of [POD1, POD2]) kernel.machine.addNetns(path);
  return kernel;
}

/** ADD of a macvtap on spoke "pod1" of the README's LAN for container "c1"; undefined is left out. */
export function addRequest(
  change: Partial<AddRequest> = {},
  config: Record<string, unknown> = {},
): AddRequest {
  return {
    op: "add",
    containerId: "c1",
    ifname: "net1",
    netns: POD1,
    config: JSON.parse(JSON.stringify({
      cniVersion: "1.1.0",
      name: "net-a",
      type: "k8slan",
      lan: "k8slan-system/lan-test",
      spoke: "pod1",
      ...config,
    })),
    ...change,
  };
}

/** CNI_ARGS as a kubelet gives them. */
export function podArgs(namespace: string, name: string, uid?: string): string {
  const identity = uid === undefined ? "" : `;K8S_POD_UID=${uid}`;
  return `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}${identity}`;
}
