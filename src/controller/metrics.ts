/** What Prometheus reads: looked up when it asks, so that nothing has to be kept in step. */

import process from "node:process";
import { Counter, Gauge, Registry } from "prom-client";
import { version } from "../version.ts";
import type { CertificateSource } from "./certificate_source.ts";
import type { ControllerFacts } from "./facts.ts";
import { AnswerFigures } from "./metrics_answers.ts";
import { lanFigures } from "./metrics_lans.ts";
import type { PodDecisionKind } from "./pod_decision.ts";
import type { AdmissionKind } from "./webhook_decision.ts";

const DAY_MS = 24 * 60 * 60_000;
const DECISIONS: readonly (AdmissionKind | "error")[] = [
  ...["allowed", "skipped", "unchecked", "invalid", "conflict", "in-use", "error"] as const,
];

const POD_DECISIONS: readonly (PodDecisionKind | "error")[] = [
  ...["mutated", "unchanged", "skipped", "malformed", "unread", "error"] as const,
];

export interface ControllerMetricsOptions {
  readonly facts: ControllerFacts;
  readonly certificate: Pick<CertificateSource, "serving" | "authority">;
  /** Milliseconds since 1970. */
  readonly date?: () => number;
}

export class ControllerMetrics {
  readonly #registry = new Registry();
  readonly #webhook: AnswerFigures<AdmissionKind>;
  readonly #podWebhook: AnswerFigures<PodDecisionKind>;

  constructor({ facts, certificate, date = Date.now }: ControllerMetricsOptions) {
    this.#gauge("k8slan_build_info", "1, with the version", () => [[1, { version }]]);
    this.#gauge("k8slan_leader", "1 in the replica that leads", () => Number(facts.isLeader()));
    this.#gauge(
      "k8slan_synced",
      "1 once everything has been read from the API server",
      () => Number(facts.isSynced()),
    );
    this.#gauge("k8slan_queue_length", "LANs that wait to be worked on", () => facts.queueLength());
    this.#lans(facts);
    this.#counters(facts);
    const daysLeft = (validity: { readonly notAfter: number } | undefined) =>
      validity === undefined ? [] : [[(validity.notAfter - date()) / DAY_MS, {}] as const];
    this.#gauge(
      "k8slan_webhook_certificate_days_left",
      "Days until the webhook's certificate expires",
      () => daysLeft(certificate.serving),
    );
    this.#gauge(
      "k8slan_webhook_authority_days_left",
      "Days until the authority of the webhook's certificate expires",
      () => daysLeft(certificate.authority),
    );
    this.#webhook = new AnswerFigures(this.#registry, {
      ...{ prefix: "k8slan_webhook", of: "the webhook", kinds: DECISIONS },
    });
    this.#podWebhook = new AnswerFigures(this.#registry, {
      ...{ prefix: "k8slan_pod_webhook", of: "the webhook for pods", kinds: POD_DECISIONS },
    });
    this.#process();
  }

  /** Counts an answer of the webhook. */
  answered(decision: AdmissionKind | "error", seconds: number): void {
    this.#webhook.answered(decision, seconds);
  }

  /** Counts an answer of the webhook for pods. */
  podAnswered(decision: PodDecisionKind | "error", seconds: number): void {
    this.#podWebhook.answered(decision, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #lans(facts: ControllerFacts): void {
    const figures = () => lanFigures(facts.lanObjects());
    this.#gauge("k8slan_lan_objects", "LANs", () => figures().lans);
    this.#gauge("k8slan_spokes", "Spokes of all LANs", () => figures().spokes);
    this.#gauge("k8slan_attachments", "Workloads attached to LANs", () => figures().attached);
    this.#gauge(
      "k8slan_lans",
      "LANs by condition and its status",
      () =>
        figures().conditions.map(({ lans, condition, status }) => [lans, { condition, status }]),
    );
  }

  #counters({ counters }: ControllerFacts): void {
    const all: Readonly<Record<string, readonly [keyof typeof counters, string]>> = {
      k8slan_reconciles_total: ["reconciles", "Times that a LAN was worked on"],
      k8slan_reconcile_failures_total: ["failures", "How many of these failed"],
      k8slan_reconcile_seconds_total: ["reconcileSeconds", "Seconds that these took"],
      k8slan_network_writes_total: [
        "networkWrites",
        "NetworkAttachmentDefinitions made, repaired or deleted",
      ],
      k8slan_status_writes_total: ["statusWrites", "Times that the status of a LAN was written"],
      k8slan_watch_troubles_total: ["watchTroubles", "Lists and watches that ended badly"],
    };
    for (const [name, [counter, help]] of Object.entries(all)) {
      this.#counter(name, help, () => counters[counter]);
    }
  }

  /** The names that every client library of Prometheus gives these. */
  #process(): void {
    this.#gauge("process_resident_memory_bytes", "Resident memory", () => Deno.memoryUsage().rss);
    this.#gauge(
      "process_start_time_seconds",
      "Start, in seconds since 1970",
      () => performance.timeOrigin / 1_000,
    );
    this.#counter("process_cpu_seconds_total", "User and system CPU time", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
  }

  #gauge(
    name: string,
    help: string,
    read: () => number | readonly (readonly [number, Readonly<Record<string, string>>])[],
  ): void {
    new Gauge({
      name,
      help,
      labelNames: LABELS,
      registers: [this.#registry],
      collect() {
        const value = read();
        this.reset();
        const samples = typeof value === "number" ? [[value, {}] as const] : value;
        for (const [figure, labels] of samples) this.set({ ...labels }, figure);
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}

const LABELS = ["condition", "status", "version"];
