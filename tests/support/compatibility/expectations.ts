/** What the product promises of each cell, and why where it cannot be more. */

import { allCells, type Cell, type Outcome, type SubjectId, type TrafficId } from "./matrix.ts";

export interface Exception {
  readonly subjects: readonly SubjectId[];
  readonly traffic: readonly TrafficId[];
  readonly outcome: Outcome;
  /** A sentence for whom it concerns: whose doing it is, and what helps. */
  readonly why: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    subjects: ["vethVm"],
    traffic: ["lldp", "lacp", "eapol"],
    outcome: "lost",
    why:
      "The bridge in the VM's pod keeps frames to 01:80:c2:00:00:02 and on to :0f for itself, in " +
      "both directions, as every bridge does that nobody has told otherwise. Behind a macvtap there " +
      "is no such bridge.",
  },
  {
    subjects: ["tapPod", "vethPod"],
    traffic: ["oversize"],
    outcome: "refused",
    why: "The sender's own kernel refuses it: EMSGSIZE.",
  },
  {
    subjects: ["tapVm", "vethVm"],
    traffic: ["oversize"],
    outcome: "lost, or refused",
    why:
      "What the VM sends beyond the MTU is dropped on the way without a word; a pod that sends it " +
      "to the VM is told. So the VM's interface has to have the LAN's MTU, as KubeVirt sees to.",
  },
];

export function exceptionOf({ subject, traffic }: Cell): Exception | undefined {
  return EXCEPTIONS.find(({ subjects, traffic: kinds }) =>
    subjects.includes(subject) && kinds.includes(traffic)
  );
}

export function expectedOf(cell: Cell): Outcome {
  return exceptionOf(cell)?.outcome ?? "works";
}

/** The cells that came out otherwise than the document says, in words; nothing if it is true. */
export function deviations(measured: (cell: Cell) => Outcome | undefined): string[] {
  return allCells().flatMap((cell) => {
    const [expected, found] = [expectedOf(cell), measured(cell)];
    if (found === expected) return [];
    const { subject, traffic, path } = cell;
    return `${subject}, ${traffic}, ${path}: ${found ?? "not measured"}, not ${expected}`;
  });
}
