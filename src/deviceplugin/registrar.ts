/** Keeps resources registered with a kubelet that comes and goes. */

import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { CallGate, pauseAfter, type Pauses } from "./call_gate.ts";
import { GrpcError } from "./grpc_error.ts";

/** Registers the resource whose server listens at `endpoint`; throws GrpcError. */
export type Register = (resource: string, endpoint: string, signal: AbortSignal) => Promise<void>;

export interface RegistrarDelays {
  /** Between calls while kubelet cannot be reached. */
  readonly call: Pauses;
  /** Before a resource is registered again that kubelet refused, or ceased to watch. */
  readonly resource: Pauses;
  /** Milliseconds after a registration by which kubelet must have begun to watch. */
  readonly watch: number;
}

const DELAYS: RegistrarDelays = {
  call: { first: 50, max: 1_000 },
  resource: { first: 100, max: 30_000 },
  watch: 5_000,
};

/** Kubelet answers a registration after it has called the plugin: it is worth asking in parallel. */
const CALLS_MAX = 8;

export interface RegistrarOptions {
  readonly register: Register;
  readonly log: Log;
  /** Called after the state of a resource or `problem` may have become something else. */
  readonly changed?: () => void;
  readonly delays?: Partial<RegistrarDelays>;
}

export interface RegistrationState {
  /** Kubelet knows the resource and watches it. */
  readonly registered: boolean;
  /** Why kubelet refused it the last time, until it takes it. */
  readonly problem?: string;
}

interface Entry {
  readonly resource: string;
  readonly endpoint: string;
  /** The kubelet that it was registered with. */
  kubelet: string | undefined;
  watched: boolean;
  watchedAt: number;
  calling: boolean;
  failures: number;
  /** Not before this time. */
  dueAt: number;
  problem: string | undefined;
}

/**
 * A resource counts as registered while kubelet watches it. Whatever ends that leads to another
 * registration: a new kubelet, a stream that broke, a kubelet that took the registration and then
 * did nothing. (Kubelet itself drops a resource when the stream of an *earlier* registration ends.)
 *
 * While kubelet cannot be reached, one call at a time tries.
 */
export class Registrar implements Disposable {
  readonly #register: Register;
  readonly #log: Log;
  readonly #changed: () => void;
  readonly #delays: RegistrarDelays;
  readonly #gate: CallGate;
  readonly #entries = new Map<string, Entry>();
  #kubelet: string | undefined;
  #round = new AbortController();
  #calls = 0;
  #registrations = 0;
  /** When there was something to register again. */
  #openSince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RegistrarOptions) {
    this.#register = options.register;
    this.#log = options.log;
    this.#changed = options.changed ?? (() => {});
    this.#delays = { ...DELAYS, ...options.delays };
    this.#gate = new CallGate(this.#delays.call);
  }

  /** Registrations that kubelet has taken so far. */
  get registrations(): number {
    return this.#registrations;
  }

  /** Why kubelet cannot be reached, if it cannot. */
  get problem(): string | undefined {
    return this.#gate.problem;
  }

  /** Undefined for a resource that was not added. */
  state(resource: string): RegistrationState | undefined {
    const entry = this.#entries.get(resource);
    if (entry === undefined) return undefined;
    const registered = this.#isDone(entry);
    return entry.problem === undefined ? { registered } : { registered, problem: entry.problem };
  }

  /** From now on `resource` is to be registered; its server must be listening at `endpoint`. */
  add(resource: string, endpoint: string): void {
    this.#entries.set(resource, {
      resource,
      endpoint,
      kubelet: undefined,
      watched: false,
      watchedAt: 0,
      calling: false,
      failures: 0,
      dueAt: 0,
      problem: undefined,
    });
    this.#pump();
  }

  remove(resource: string): void {
    this.#entries.delete(resource);
    this.#pump();
  }

  /** A kubelet made its socket, another one than before; undefined: the socket is gone. */
  kubeletChanged(kubelet: string | undefined): void {
    if (kubelet === this.#kubelet) return;
    this.#kubelet = kubelet;
    this.#round.abort();
    this.#round = new AbortController();
    this.#gate.reset();
    for (const entry of this.#entries.values()) {
      entry.failures = 0;
      entry.dueAt = 0;
    }
    this.#changed();
    this.#pump();
  }

  /** Kubelet began or ended to watch `resource`. */
  watchChanged(resource: string, watched: boolean): void {
    const entry = this.#entries.get(resource);
    if (entry === undefined || entry.watched === watched) return;
    const now = performance.now();
    entry.watched = watched;
    if (watched) {
      entry.watchedAt = now;
    } else {
      // One that lasted was no failure.
      if (now - entry.watchedAt > this.#delays.resource.max) entry.failures = 0;
      this.#postpone(entry);
    }
    this.#changed();
    this.#pump();
  }

  [Symbol.dispose](): void {
    this.#entries.clear();
    this.#round.abort();
    clearTimeout(this.#timer);
  }

  #isDone(entry: Entry): boolean {
    return entry.watched && entry.kubelet !== undefined && entry.kubelet === this.#kubelet;
  }

  /** Starts what is due, and a timer for what will be. */
  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#reportRound();
    if (this.#kubelet === undefined) return;
    const callsMax = this.#gate.isOpen ? CALLS_MAX : 1;
    const now = performance.now();
    let nextAt = Infinity;
    for (const entry of this.#entries.values()) {
      if (entry.calling || this.#isDone(entry)) continue;
      if (this.#calls >= callsMax) return; // the end of a call comes back here
      const dueAt = Math.max(entry.dueAt, this.#gate.callAt);
      if (dueAt <= now) this.#call(entry, this.#kubelet);
      else nextAt = Math.min(nextAt, dueAt);
    }
    if (nextAt !== Infinity) this.#timer = setTimeout(() => this.#pump(), nextAt - now);
  }

  /** Says once when everything is registered, be it one resource or hundreds. */
  #reportRound(): void {
    const now = performance.now();
    if (this.#entries.values().some((entry) => !this.#isDone(entry))) {
      this.#openSince ??= now;
    } else if (this.#openSince !== undefined) {
      const fields = { resources: this.#entries.size, ms: Math.round(now - this.#openSince) };
      if (fields.resources > 0) this.#log.info("All resources are registered", fields);
      this.#openSince = undefined;
    }
  }

  async #call(entry: Entry, kubelet: string): Promise<void> {
    entry.calling = true;
    this.#calls++;
    try {
      await this.#register(entry.resource, entry.endpoint, this.#round.signal);
      this.#registrations++;
      if (kubelet === this.#kubelet) this.#succeeded(entry, kubelet);
    } catch (error) {
      if (kubelet === this.#kubelet) this.#failed(entry, error);
    } finally {
      entry.calling = false;
      this.#calls--;
    }
    this.#changed();
    this.#pump();
  }

  #succeeded(entry: Entry, kubelet: string): void {
    this.#gate.reset();
    entry.kubelet = kubelet;
    entry.problem = undefined;
    // Where it has ceased to watch already, that has its own pause.
    entry.dueAt = Math.max(entry.dueAt, performance.now() + this.#delays.watch);
  }

  #failed(entry: Entry, error: unknown): void {
    const problem = describe(error);
    if (isMiss(error)) {
      if (this.#gate.isOpen) this.#log.info("Kubelet cannot be reached", { error: problem });
      this.#gate.missed(problem, performance.now());
      return;
    }
    this.#gate.reset();
    if (entry.problem !== problem) {
      const { resource } = entry;
      this.#log.warn("Kubelet does not take a resource", { resource, error: problem });
    }
    entry.problem = problem;
    this.#postpone(entry);
  }

  #postpone(entry: Entry): void {
    entry.dueAt = performance.now() + pauseAfter(entry.failures, this.#delays.resource);
    entry.failures++;
  }
}

/** Whether kubelet was not there to answer, whatever the resource. */
function isMiss(error: unknown): boolean {
  return error instanceof GrpcError &&
    (error.code === "Unavailable" || error.code === "DeadlineExceeded");
}
