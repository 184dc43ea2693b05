/** What a measurement found, and whether that is good enough. */

export type Unit =
  | "ms"
  | "s"
  | "MB"
  | "% of a core"
  | "Gbit/s"
  | "messages"
  | "frames/s"
  | "µs"
  | "entries";

export interface Finding {
  readonly what: string;
  readonly unit: Unit;
  readonly ours: number;
  /** Beside the figure, such as the 99th percentile. */
  readonly note?: string;
  readonly other?: Other;
  readonly budget?: Budget;
}

/** Measured in the same run, in the same unit. */
export interface Other {
  readonly name: string;
  readonly value: number;
  readonly note?: string;
}

/** Bounds of our figure itself, of what it is above `other`, or of its ratio to that. */
export type Budget =
  | { readonly most: number }
  | { readonly mostAboveOther: number }
  | { readonly mostOfOther: number }
  | { readonly leastOfOther: number };

/** Our figure divided by the other's; undefined without another. */
export function ratioOf({ ours, other }: Finding): number | undefined {
  return other === undefined ? undefined : ours / other.value;
}

/** Undefined without a budget, or without the other that it asks for. */
export function isMet(finding: Finding): boolean | undefined {
  const { ours, other, budget } = finding;
  if (budget === undefined) return undefined;
  if ("most" in budget) return ours <= budget.most;
  const ratio = ratioOf(finding);
  if (other === undefined || ratio === undefined) return undefined;
  if ("mostAboveOther" in budget) return ours - other.value <= budget.mostAboveOther;
  return "mostOfOther" in budget ? ratio <= budget.mostOfOther : ratio >= budget.leastOfOther;
}
