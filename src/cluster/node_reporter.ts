/** Keeps this node's LANNode object saying what the agent has to say. */

import type { LanNodeStatus } from "../api/lan_node.ts";
import { MANAGED_BY, MANAGED_BY_LABEL } from "../api/names.ts";
import { type Backoff, backoffMs } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { isSameJson } from "../base/same_json.ts";
import type { CallOptions, KubeApi } from "../kube/kube_api.ts";
import { LAN_NODES, type LanNodeObject } from "../kube/resources.ts";

export interface NodeReporterOptions {
  readonly api: KubeApi;
  /** The node's, and the object's, name. */
  readonly node: string;
  /** What there is to say at this moment. Asked after every change: it has to be cheap. */
  readonly report: () => LanNodeStatus;
  readonly log: Log;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** Changes come in bursts: one write waits until they pause, but never longer than the second. */
const PAUSE_MS = 100;
const LATEST_MS = 300;
/** From one write to the next. */
const GAP_MS = 300;
const FAILED: Backoff = { firstMs: 500, mostMs: 30_000 };
/** Between writes of the same: somebody else keeps changing the object, or deleting it. */
const REPAIRED: Backoff = { firstMs: 300, mostMs: 30_000 };
const REPAIRS_FORGOTTEN_MS = 60_000;
const DEADLINE_MS = 15_000;
/** Own writes of which a watch may tell late. */
const ECHOES_MAX = 16;

const LABELS = { [MANAGED_BY_LABEL]: MANAGED_BY };
/** A merge leaves alone what it doesn't name. */
const NOTHING = { lans: null, attachments: null, unattached: null, problems: null };

interface Write {
  readonly wanted: LanNodeStatus;
  /** What the API server made of it: one of another version may know other fields. */
  readonly stored: LanNodeStatus | undefined;
}

/**
 * Guarantees: after the last change the newest state is written, however long the API server was
 * away; nothing is written when it has that state already. Caveat: who else writes the object, or
 * deletes it, is contradicted, but ever more slowly.
 */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** What the API server has, as far as is known. */
  #known: Known = "unknown";
  #written: Write | undefined;
  readonly #echoes: string[] = [];
  /** When the first and the last of the changes came that haven't been looked at. */
  #asked: { readonly first: number; last: number } | undefined;
  #notBefore = 0;
  /** When to look in any case. */
  #lookAt = Infinity;
  #repairs = 0;
  #repairedAt = -Infinity;
  #failures = 0;
  #problem: string | undefined;
  #writes = 0;
  #wake = () => {};

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** How often the object was written, and why it can't be just now. */
  get state(): { readonly writes: number; readonly problem?: string } {
    const problem = this.#problem;
    return problem === undefined ? { writes: this.#writes } : { writes: this.#writes, problem };
  }

  /** What `report()` says may have become something else. */
  changed(): void {
    const now = this.#clock.now();
    this.#asked ??= { first: now, last: now };
    this.#asked.last = now;
    this.#wake();
  }

  /** The object as a watch tells of it; undefined when it is gone. Others' objects are ignored. */
  seen(object: LanNodeObject | undefined): void {
    if (object !== undefined && object.metadata.name !== this.#options.node) return;
    if (object !== undefined && this.#echoes.includes(versionOf(object))) return;
    this.#known = object ?? "absent";
    this.apiServerAnswers();
    this.changed();
  }

  /** There is no use in waiting any longer after a failure. */
  apiServerAnswers(): void {
    if (this.#failures === 0) return;
    this.#notBefore = 0;
    this.#wake();
  }

  /** Writes what is to be written until `signal` fires. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    this.changed();
    while (!signal.aborted) {
      const waitMs = this.#dueAt() - this.#clock.now();
      if (waitMs > 0) {
        await this.#wait(waitMs, signal);
        continue;
      }
      this.#asked = undefined;
      this.#lookAt = Infinity;
      try {
        await this.#bringUpToDate({ signal, deadlineMs: DEADLINE_MS });
        if (this.#failures > 0) this.#options.log.info("The LANNode object is up to date again");
        this.#failures = 0;
        this.#problem = undefined;
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      }
    }
  }

  #dueAt(): number {
    if (this.#asked === undefined) return this.#lookAt;
    const { first, last } = this.#asked;
    const at = Math.max(Math.min(last + PAUSE_MS, first + LATEST_MS), this.#notBefore);
    return Math.min(at, this.#lookAt);
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    signal.addEventListener("abort", this.#wake);
    await this.#clock.sleep(waitMs, woken.signal);
    signal.removeEventListener("abort", this.#wake);
    this.#wake = () => {};
  }

  #fail(error: unknown): void {
    const afterMs = backoffMs(FAILED, ++this.#failures, this.#random());
    this.#notBefore = this.#clock.now() + afterMs;
    this.#known = "unknown"; // it may have been written all the same
    const message = describe(error);
    const say = message === this.#problem ? "debug" : "warn";
    this.#options.log[say]("Cannot write the LANNode object", { error: message, afterMs });
    this.#problem = message;
    this.changed();
  }

  async #bringUpToDate(call: CallOptions): Promise<void> {
    const { api, node: name, report } = this.#options;
    const wanted = report();
    if (this.#known === "unknown") {
      await this.#learn(async () => await api.get(LAN_NODES, { name }, call) ?? "absent");
    }
    if (this.#known === "unknown" || this.#isCurrent(wanted) || !this.#mayWrite(wanted)) return;
    this.#notBefore = this.#clock.now() + GAP_MS;
    if (this.#known === "absent") {
      await this.#learn(() => api.create(LAN_NODES, { metadata: { name, labels: LABELS } }, call));
    }
    if (isThere(this.#known) && !isLabelled(this.#known)) {
      const patch = { type: "merge", body: { metadata: { labels: LABELS } } } as const;
      await this.#learn(() => api.patch(LAN_NODES, { name }, patch, call));
    }
    if (!isThere(this.#known) || this.#isCurrent(wanted)) return;
    const patch = { type: "merge", body: { status: { ...NOTHING, ...wanted } } } as const;
    const options = { ...call, subresource: "status" } as const;
    await this.#learn(async () => {
      const object = await api.patch(LAN_NODES, { name }, patch, options);
      this.#written = { wanted, stored: object.status };
      this.#writes++;
      return object;
    });
  }

  #isCurrent(wanted: LanNodeStatus): boolean {
    const known = this.#known;
    if (!isThere(known) || !isLabelled(known)) return false;
    if (isSameJson(known.status, wanted)) return true;
    return isSameJson(this.#written?.wanted, wanted) &&
      isSameJson(this.#written?.stored, known.status);
  }

  /** Not at once, if it is what was written before: then it has been undone. */
  #mayWrite(wanted: LanNodeStatus): boolean {
    if (!isSameJson(this.#written?.wanted, wanted)) return true;
    const now = this.#clock.now();
    if (now - this.#repairedAt > REPAIRS_FORGOTTEN_MS) this.#repairs = 0;
    const pauseMs = this.#repairs === 0 ? 0 : backoffMs(REPAIRED, this.#repairs, 1);
    if (now < this.#repairedAt + pauseMs) {
      this.#lookAt = this.#repairedAt + pauseMs;
      return false;
    }
    this.#repairs++;
    this.#repairedAt = now;
    this.#options.log.info("Somebody changed the LANNode object; putting it right");
    return true;
  }

  /**
   * Takes in what a call answers. If meanwhile something else was seen, there is no telling which of
   * both is newer: then it is asked for anew.
   */
  async #learn(call: () => Promise<LanNodeObject | "absent">): Promise<void> {
    const before = this.#known;
    const answer = await call();
    const seen = this.#known;
    if (isThere(answer)) this.#echoes.push(versionOf(answer));
    if (this.#echoes.length > ECHOES_MAX) this.#echoes.shift();
    const isNewest = seen === before || (isThere(seen) && isThere(answer) &&
      versionOf(seen) === versionOf(answer));
    this.#known = isNewest ? answer : "unknown";
    if (!isNewest) this.changed();
  }
}

type Known = LanNodeObject | "absent" | "unknown";

function isThere(known: Known): known is LanNodeObject {
  return typeof known === "object";
}

function isLabelled({ metadata: { labels } }: LanNodeObject): boolean {
  return labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
}

/** One state of one object. */
function versionOf({ metadata: { uid, resourceVersion } }: LanNodeObject): string {
  return `${uid} ${resourceVersion}`;
}
