/** Who may attach to a spoke in a cluster: the pod that kubelet gave its device, on one node alone. */

import { textList } from "../base/text_list.ts";
import type { AttachAsk, AttachGate } from "../agent/attach_gate.ts";
import { printable } from "../api/issues.ts";
import { RESOURCE_PREFIX } from "../api/names.ts";
import { describe, K8slanError } from "../base/errors.ts";
import type { HeldDevice, PodResources } from "../deviceplugin/pod_resources.ts";
import { lanName } from "../plan/lan_plan.ts";
import { isDeviceOf, resourceOf } from "./device_offers.ts";
import type { Holder, Holders } from "./holders.ts";
import { isMigrating, type Migrations, type OpenMigration } from "./migrations.ts";

/** Longest name and namespace of a pod: kubelet has none that is longer. */
const POD_NAME_MAX = 253;
const SHOWN_DEVICES_MAX = 8;

export interface PodGateOptions {
  readonly resources: Pick<PodResources, "ofPod">;
  readonly holders: Pick<Holders, "elsewhere">;
  readonly migrations: Pick<Migrations, "of">;
  /** Where `resources` asks kubelet, for messages. */
  readonly socket: string;
}

export class PodGate implements AttachGate {
  readonly #options: PodGateOptions;

  constructor(options: PodGateOptions) {
    this.#options = options;
  }

  /** Throws `K8slanError` "DeviceNotHeld", "SpokeInUse" or "KubeletUnavailable". */
  async admit(ask: AttachAsk): Promise<void> {
    const devices = needsDevice(ask) ? await this.#devicesOf(ask.pod) : [];
    // After kubelet's answer, which took its time.
    const { lan: { metadata: { uid } }, spoke } = ask;
    const { holders, migrations } = this.#options;
    const [holder, migration] = spoke === undefined
      ? []
      : [holders.elsewhere(uid, spoke), migrations.of(uid, spoke)];
    const refused = refusal(ask, devices, holder, migration);
    if (refused !== undefined) throw refused;
  }

  async #devicesOf(pod: Pod): Promise<readonly HeldDevice[]> {
    if (Math.max(pod.namespace.length, pod.name.length) > POD_NAME_MAX) return [];
    const { resources, socket } = this.#options;
    try {
      return await resources.ofPod(pod.namespace, pod.name);
    } catch (cause) {
      const problem = printable(describe(cause));
      throw new K8slanError(
        "KubeletUnavailable",
        `Cannot ask kubelet at "${socket}" which devices ${podText(pod)} holds: ${problem}; see ` +
          "that kubelet runs, and that the agent is given this path",
        { retriable: true, cause },
      );
    }
  }
}

type Pod = NonNullable<AttachAsk["pod"]>;
type DeviceAsk = AttachAsk & { readonly spoke: string; readonly pod: Pod };

/** Only a macvtap is a device to kubelet; without a pod, root of this node asks, who may. */
function needsDevice(ask: AttachAsk): ask is DeviceAsk {
  return ask.attach === "macvtap" && ask.spoke !== undefined && ask.pod !== undefined;
}

/**
 * Why an attachment is refused; undefined if it is admitted. `devices` are those that the pod holds,
 * of whatever resource; `holder` has the spoke on another node, and `migration` is of its VM.
 *
 * A VM that migrates has a pod on two nodes for a while, and both hold its spoke: the one exception.
 */
export function refusal(
  ask: AttachAsk,
  devices: readonly HeldDevice[],
  holder: Holder | undefined,
  migration?: OpenMigration,
): K8slanError | undefined {
  if (needsDevice(ask) && !devices.some(isDeviceOf(ask.spoke))) return deviceNotHeld(ask, devices);
  if (ask.spoke === undefined || holder === undefined) return undefined;
  const isExempt = ask.attach === "macvtap" && isMigrating(migration, holder, ask.pod);
  return isExempt ? undefined : spokeInUse(ask, holder, migration);
}

function deviceNotHeld(ask: DeviceAsk, devices: readonly HeldDevice[]): K8slanError {
  const ours = devices.filter(({ resource }) => resource.startsWith(`${RESOURCE_PREFIX}/`));
  const held = ours.length === 0 ? "" : `, but ${listed(ours.map(deviceText))}`;
  return new K8slanError(
    "DeviceNotHeld",
    `${podText(ask.pod, "Pod")} does not hold the device of ${spokeText(ask)}${held}; add ` +
      `"${resourceOf(ask.spoke)}: 1" under resources.limits of one of its containers, or attach ` +
      "it to a spoke whose device it holds (that of an init container does not count)",
  );
}

function spokeInUse(
  ask: AttachAsk,
  { node, pod }: Holder,
  migration: OpenMigration | undefined,
): K8slanError {
  const who = pod === undefined ? "a workload without a pod" : podText(pod);
  const moving = migration === undefined
    ? ""
    : `, whose VM moves to ${podText(migration.to)}: no other may have it meanwhile`;
  return new K8slanError(
    "SpokeInUse",
    `${spokeText(ask, "Spoke")} is attached to ${who} on node ${quoted(node)}${moving}; delete ` +
      "that first or use another spoke",
    { retriable: true },
  );
}

function spokeText({ spoke, lan }: AttachAsk, word = "spoke"): string {
  return `${word} "${spoke}" of LAN "${lanName(lan)}"`;
}

function podText({ namespace, name }: Pod, word = "pod"): string {
  return `${word} ${quoted(`${namespace}/${name}`)}`;
}

/** The device is named as the resource, unless it comes from something else. */
function deviceText({ resource, deviceId }: HeldDevice): string {
  const text = quoted(resource);
  return resource === resourceOf(deviceId) ? text : `${text} with device ${quoted(deviceId)}`;
}

function listed(texts: readonly string[]): string {
  return textList(texts, { most: SHOWN_DEVICES_MAX, chars: Infinity });
}

/** Names come from runtimes and other nodes; a whole one of Kubernetes fits. */
function quoted(text: string): string {
  return printable(JSON.stringify(text));
}
