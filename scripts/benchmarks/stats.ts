/** Figures of a sample. */

/** The value that half of `samples` lie below. Throws for none. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** The value that the share `q` (0..1) of `samples` lies below, between neighbours in proportion. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (low === undefined || high === undefined) throw new Error("There are no samples");
  return low + (high - low) * (at - Math.floor(at));
}
