/** How long to wait before the next try. */

export interface Backoff {
  /** Milliseconds before the second try; doubled for each further one. */
  readonly firstMs: number;
  /** Milliseconds that no wait exceeds. */
  readonly mostMs: number;
}

/**
 * Milliseconds to wait after `failures` in a row (1 or more): from half of the full wait to all of
 * it, by `random` (0 to 1), so that many who failed together don't come back together.
 */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number, random: number): number {
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), mostMs);
  return Math.round(full * (0.5 + random / 2));
}
