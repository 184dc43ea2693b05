/** What every replica serves from start to end: the webhook, health and metrics. */

import { POD_WEBHOOK_NAME, WEBHOOK_NAME } from "../api/names.ts";
import type { Clock } from "../base/clock.ts";
import { describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { problemPage, startPageServer } from "../base/page_server.ts";
import type { CertificateTiming } from "./cert_plan.ts";
import { CertificateFolder } from "./certificate_folder.ts";
import { CertificateIssuer } from "./certificate_issuer.ts";
import { CertificateSecret } from "./certificate_secret.ts";
import type { CertificateSource, UsePair } from "./certificate_source.ts";
import type { ControllerFacts } from "./facts.ts";
import { healthProblems, readyProblems } from "./health.ts";
import { ControllerMetrics } from "./metrics.ts";
import { PodAdmission } from "./pod_admission.ts";
import type { PodDecisionKind } from "./pod_decision.ts";
import { LanAdmission } from "./webhook_admission.ts";
import type { AdmissionKind } from "./webhook_decision.ts";
import {
  POD_WEBHOOK_PATH,
  WEBHOOK_PATH,
  WebhookHandler,
  type WebhookRoute,
} from "./webhook_http.ts";
import { WebhookServer } from "./webhook_server.ts";

/** The Secret with the webhook's certificate, which the manifest makes empty. */
export const WEBHOOK_SECRET = "k8slan-webhook-cert";

/** For tests. */
export interface ServerTuning {
  readonly hostname?: string;
  /** What the webhook's certificate is for, as in `DNS:a.b.svc`. */
  readonly names?: readonly string[];
  readonly timing?: CertificateTiming;
  readonly clock?: Clock;
}

export interface RunningServers extends AsyncDisposable {
  readonly webhookPort: number;
  readonly healthPort: number;
  readonly metricsPort: number;
}

/**
 * Resolves when all ports are bound, and rejects if one can't be. Serves until it is disposed of,
 * which comes after `facts.signal` has fired.
 */
export async function startServers(
  facts: ControllerFacts,
  tuning: ServerTuning = {},
): Promise<RunningServers> {
  const { options, log, api } = facts;
  const { hostname = "0.0.0.0" } = tuning;
  await using started = new AsyncDisposableStack();

  const known = () => ({
    isSynced: facts.isSynced(),
    lans: facts.lans(),
    workloads: (lanUid: string) => facts.workloads(lanUid),
  });
  const admission = new LanAdmission({ known, api, log });
  const pods = new PodAdmission({ known: (key) => facts.network(key), api: facts.podApi, log });
  const lanRoute: WebhookRoute<AdmissionKind> = {
    decide: (ask) => admission.decide(ask),
    onAnswer: (kind, seconds) => metrics.answered(kind, seconds),
  };
  const podRoute: WebhookRoute<PodDecisionKind> = {
    decide: (ask) => pods.decide(ask),
    onAnswer: (kind, seconds) => metrics.podAnswered(kind, seconds),
  };
  const handler = new WebhookHandler({ [WEBHOOK_PATH]: lanRoute, [POD_WEBHOOK_PATH]: podRoute });
  const webhook = started.use(
    new WebhookServer({ handler, log, hostname, port: options.webhookPort }),
  );
  const { certificate, tasks } = certificateParts(facts, tuning, (pair) => webhook.use(pair));
  const metrics = new ControllerMetrics({ facts, certificate });
  const ended: string[] = [];
  const page = (problems: () => string[]) => () => problemPage(problems());
  const ready = () => readyProblems(facts, { ended, certificate }, Date.now());

  await webhook.listen();
  const health = started.use(startPageServer({
    ...{ log, hostname, port: options.healthPort },
    pages: { "/healthz": page(() => healthProblems({ ended })), "/readyz": page(ready) },
  }));
  const figures = started.use(startPageServer({
    ...{ log, hostname, port: options.metricsPort },
    pages: {
      "/metrics": async () => (
        { status: 200, body: await metrics.text(), contentType: metrics.contentType }
      ),
    },
  }));
  const stop = new AbortController();
  const running = runTasks(tasks, AbortSignal.any([facts.signal, stop.signal]), ended, log);
  started.defer(async () => {
    stop.abort();
    await running;
  });

  const all = started.move();
  return {
    webhookPort: webhook.port,
    healthPort: health.addr.port,
    metricsPort: figures.addr.port,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** What runs until a signal fires, by name. */
type Tasks = Readonly<Record<string, (signal: AbortSignal) => Promise<void>>>;

interface CertificateParts {
  readonly certificate: CertificateSource;
  readonly tasks: Tasks;
}

function certificateParts(
  facts: ControllerFacts,
  tuning: ServerTuning,
  use: UsePair,
): CertificateParts {
  const { api, log, options: { namespace, webhookCertificateDir: dir } } = facts;
  const { clock, timing, names = certificateNames(namespace) } = tuning;
  const timed = clock === undefined ? {} : { clock };
  if (dir !== undefined) {
    const certificate = new CertificateFolder({ dir, use, log, ...timed });
    return { certificate, tasks: { "Reading the certificate": (end) => certificate.run(end) } };
  }
  const secret = { namespace, name: WEBHOOK_SECRET };
  const source = new CertificateSecret({
    api,
    secret,
    configuration: WEBHOOK_NAME,
    podConfiguration: POD_WEBHOOK_NAME,
    use,
    log,
  });
  const leaderApi = () => facts.leaderApi();
  const issuer = new CertificateIssuer({
    ...{ source, leaderApi, names, log, ...timed },
    ...(timing === undefined ? {} : { timing }),
  });
  return {
    certificate: source,
    tasks: {
      "Following the certificate": (end) => source.run(end),
      "Renewing the certificate": (end) => issuer.run(end),
    },
  };
}

/** By these names the API server calls the Service of the webhook. */
export function certificateNames(namespace: string): readonly string[] {
  const service = `DNS:${WEBHOOK_NAME}.${namespace}.svc`;
  return [service, `${service}.cluster.local`];
}

/** Runs all of them; which of them end before their time is told in `ended`. */
async function runTasks(
  tasks: Tasks,
  signal: AbortSignal,
  ended: string[],
  log: Log,
): Promise<void> {
  await Promise.all(
    Object.entries(tasks).map(async ([name, run]) => {
      let why = "";
      try {
        await run(signal);
      } catch (error) {
        why = `: ${describe(error)}`;
      }
      if (signal.aborted) return;
      log.error(`${name} has ended${why}`);
      ended.push(`${name} has ended${why}`);
    }),
  );
}
