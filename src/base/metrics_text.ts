/** Figures in Prometheus' text format (version 0.0.4), without a library: one takes 20 MB. */

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A figure without labels. */
export function metric(
  type: Metric["type"],
  name: string,
  help: string,
  value: number | boolean,
): Metric {
  return { name, help, type, samples: [{ value: Number(value) }] };
}

/** A gauge with one sample for each value of `label`. */
export function gaugeBy(
  label: string,
  name: string,
  help: string,
  values: Iterable<readonly [string, number]>,
): Metric {
  const samples = Array.from(values, ([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, help, type: "gauge", samples };
}

export function metricsText(metrics: Iterable<Metric>): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of metrics) {
    lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, escape)}`, `# TYPE ${name} ${type}`);
    for (const { labels = {}, value } of samples) {
      const pairs = Object.entries(labels)
        .map(([label, text]) => `${label}="${text.replace(/[\\\n"]/g, escape)}"`);
      lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join()}}`} ${value}`);
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

function escape(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
