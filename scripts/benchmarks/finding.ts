/** What a measurement found, and whether that is good enough. */

export type Unit = "ms" | "s" | "MB" | "% of a core" | "Gbit/s";

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

/** `most` and `least` bound our figure itself, the others its ratio to `other`. */
export type Budget =
  | { readonly most: number }
  | { readonly mostOfOther: number }
  | { readonly leastOfOther: number };

/** Our figure divided by the other's; undefined without another. */
export function ratioOf({ ours, other }: Finding): number | undefined {
  return other === undefined ? undefined : ours / other.value;
}

/** Undefined without a budget, or without the other that it asks for. */
export function isMet(finding: Finding): boolean | undefined {
  const { ours, budget } = finding;
  if (budget === undefined) return undefined;
  if ("most" in budget) return ours <= budget.most;
  const ratio = ratioOf(finding);
  if (ratio === undefined) return undefined;
  return "mostOfOther" in budget ? ratio <= budget.mostOfOther : ratio >= budget.leastOfOther;
}
