/** Does nothing and lets nothing be done for so long, as a process that the system stops. */
export function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}
