/** `time` as Kubernetes' MicroTime, which must have six digits behind the point. */
export function microTime(time: Date): string {
  return time.toISOString().replace("Z", "000Z");
}
