/** What processes use, as the kernel counts it. */

/** USER_HZ, in which /proc tells times, is 100 on every Linux that Deno runs on. */
const MS_PER_TICK = 10;

/** Resident memory of a process. MB (10^6 bytes). */
export function rssMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024 / 1e6;
}

/** Processor time of a process so far, all its threads. Milliseconds. */
export function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}
