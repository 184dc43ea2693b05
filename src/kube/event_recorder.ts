/** Events: what people see of an object with `kubectl describe`. */

import { type Clock, systemClock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import { hashHex } from "../base/hash.ts";
import type { Log } from "../base/log.ts";
import type { KubeApi } from "./kube_api.ts";
import { isAlreadyExists, isNotFound } from "./kube_error.ts";
import { microTime } from "./micro_time.ts";
import type { KubeObject } from "./objects.ts";
import { EVENTS, type KubeEvent } from "./resources.ts";

export interface EventText {
  readonly type: "Normal" | "Warning";
  /** One word in CamelCase: why. */
  readonly reason: string;
  /** One word in CamelCase: what was done. */
  readonly action: string;
  /** A sentence; the first of several that differ in it alone is the one that is shown. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly api: KubeApi;
  /** As in `lan.k8slan.io/controller`. */
  readonly controller: string;
  /** Which of several: the pod's or the node's name. */
  readonly instance: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly date?: () => Date;
}

/** About one object, for one reason. */
interface Series {
  readonly name: string;
  readonly namespace: string;
  readonly regarding: object;
  readonly text: EventText;
  count: number;
  /** How many of them the API server knows of. */
  told: number;
  lastAt: number;
  lastDate: Date;
  /** Not again before this. */
  nextAt: number;
}

/** Repetitions of one event are told of together, so often. */
const REPEAT_MS = 60_000;
/** One that didn't repeat for so long begins anew. */
const FORGET_MS = 10 * 60_000;
/** Most series remembered; more are dropped. */
const SERIES_MAX = 1_000;
/** Events of one object in a row, and how often one more. */
const BURST = 20;
const REFILL_MS = 30_000;
/** `note` in bytes. */
const NOTE_MAX = 1_024;
const DEADLINE_MS = 10_000;

/**
 * Records events without ever failing or holding up whoever records: they are sent one after the
 * other by `run()`, and lost when the API server doesn't take them. Repetitions are counted in one
 * event; of an object that makes more than a few, further ones are dropped.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  /** When each object would have used up its events; at most BURST refills ahead. */
  readonly #spent = new Map<string, number>();
  #dropped = 0;
  #wake = () => {};

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  record(object: KubeObject, text: EventText): void {
    const { uid, name, namespace } = object.metadata;
    const key = JSON.stringify([uid, text.type, text.reason, text.action]);
    const now = this.#clock.now();
    const date = this.#options.date?.() ?? new Date();
    this.#forgetOld(now);
    const series = this.#series.get(key);
    if (series !== undefined) {
      series.count++;
      series.lastAt = now;
      series.lastDate = date;
    } else if (this.#series.size >= SERIES_MAX || !this.#mayAdd(uid, now)) {
      this.#dropped++;
      return;
    } else {
      this.#series.set(key, {
        // Another process, or the same one later, makes another name.
        name: `${name.slice(0, 200)}.${hashHex(`${key} ${this.#options.instance} ${+date}`, 16)}`,
        namespace: namespace ?? "default",
        regarding: regardingOf(object),
        text: { ...text, note: shorten(text.note) },
        ...{ count: 1, told: 0, lastAt: now, lastDate: date, nextAt: now },
      });
    }
    this.#wake();
  }

  /** Sends what is recorded until `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const next = this.#next();
      const waitMs = next === undefined ? Infinity : next.nextAt - this.#clock.now();
      if (next === undefined || waitMs > 0) await this.#wait(waitMs, signal);
      else await this.#send(next, signal);
    }
  }

  #next(): Series | undefined {
    let found: Series | undefined;
    for (const series of this.#series.values()) {
      if (series.told === series.count) continue;
      if (found === undefined || series.nextAt < found.nextAt) found = series;
    }
    return found;
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    signal.addEventListener("abort", this.#wake);
    await this.#clock.sleep(waitMs, woken.signal);
    signal.removeEventListener("abort", this.#wake);
    this.#wake = () => {};
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const { count, regarding, text: { reason } } = series;
    series.nextAt = this.#clock.now() + REPEAT_MS;
    try {
      if (series.told === 0) await this.#create(series, signal);
      else await this.#update(series, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("Event is lost", { reason, regarding, error: describe(error) });
    }
    series.told = count; // also when lost: the next one of this kind is sent again
    if (this.#dropped > 0) {
      log.warn("Events were dropped, since there were too many", { count: this.#dropped });
      this.#dropped = 0;
    }
  }

  async #create(series: Series, signal: AbortSignal): Promise<void> {
    const { api, controller, instance } = this.#options;
    const { name, namespace, regarding, text } = series;
    const event = {
      metadata: { name, namespace },
      ...{ eventTime: microTime(series.lastDate), regarding, ...text },
      ...{ reportingController: controller, reportingInstance: instance },
      ...(series.count > 1 ? { series: seriesOf(series) } : {}),
    };
    const call = { signal, deadlineMs: DEADLINE_MS };
    await api.create(EVENTS, event, call).catch((error) => {
      if (!isAlreadyExists(error)) throw error; // sent before, and the answer was lost
    });
  }

  async #update(series: Series, signal: AbortSignal): Promise<void> {
    const { name, namespace } = series;
    const patch = { type: "merge", body: { series: seriesOf(series) } } as const;
    const call = { signal, deadlineMs: DEADLINE_MS };
    try {
      await this.#options.api.patch(EVENTS, { name, namespace }, patch, call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#create(series, signal); // events live for an hour only
    }
  }

  #mayAdd(uid: string, now: number): boolean {
    const spent = Math.max(this.#spent.get(uid) ?? 0, now);
    if (spent - now > (BURST - 1) * REFILL_MS) return false;
    this.#spent.set(uid, spent + REFILL_MS);
    return true;
  }

  #forgetOld(now: number): void {
    for (const [key, { told, count, lastAt }] of this.#series) {
      if (told === count && now - lastAt > FORGET_MS) this.#series.delete(key);
    }
    for (const [uid, spent] of this.#spent) if (spent <= now) this.#spent.delete(uid);
  }
}

function seriesOf({ count, lastDate }: Series): NonNullable<KubeEvent["series"]> {
  return { count, lastObservedTime: microTime(lastDate) };
}

function regardingOf({ apiVersion, kind, metadata }: KubeObject): object {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    ...{ apiVersion, kind, name, uid, resourceVersion },
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function shorten(note: string): string {
  const bytes = new TextEncoder().encode(note);
  if (bytes.length <= NOTE_MAX) return note;
  // A character that was cut in two is left out.
  const text = new TextDecoder().decode(bytes.subarray(0, NOTE_MAX - 3)).replace(/\ufffd+$/, "");
  return `${text}…`;
}
