/** The part of docs/benchmarks.md that the row "cluster" writes. */

import type { Section } from "./section.ts";

const NOTES = `How:

- **applied, deleted**: from the first of the requests, ten of which are under way at any time. What
  kubelet gives is asked of it every 50 ms (\`GetAllocatableResources\`), every 300 ms while more than 100
  devices are missing or too many; the status of a node is what the scheduler goes by, and is written by
  kubelet once a second here, every ten by default.
- **idle**: what /proc says. Nothing is attached on the one node, all spokes of all LANs on the other,
  so that each of them is unhealthy on the first. "Without LANs" is the same process before there was
  any. Messages are those that the agent counts: lists of devices and registrations.
- **Pod**: one after the other on one node, with a macvtap, with an interface by the plugin \`bridge\`
  and with none in turns; each macvtap is of a LAN that is not on the node before. From the request that
  makes the pod until containerd starts its container. Kubelet looks at its containers once a second,
  so that the API server knows up to a second later. Further interfaces come from a stand-in for multus
  unless there is multus; what that takes is part of both.
- **killed**: by SIGKILL, after which kubelet starts it again; **stopped**: by SIGSTOP, as when its
  machine hangs, so that the lease has to run out; **deleted**: its pod, as in a roll-out, so that the
  lease is given back.
`;

export const CLUSTER_SECTION: Section = {
  heading: "## In a cluster",
  about:
    `Written by \`scripts/bench cluster\`: the installed product on a cluster of two nodes on one machine
(\`docs/cluster.md\`), with nothing else on it but what Kubernetes needs.`,
  notes: NOTES,
};
