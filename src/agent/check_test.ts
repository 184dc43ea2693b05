import assert from "node:assert/strict";
import { addRequest, AgentParts, POD1, POD2 } from "../../tests/support/agent_parts.ts";
import { seedLan } from "../../tests/support/lan_fixture.ts";
import { K8slanError } from "../base/errors.ts";
import { HOST } from "../plan/ops.ts";
import { checkAttachment } from "./check.ts";

const NETNS = "/run/k8slan/netns/knlvrf";

/** Agent with "pod1" in `POD1` as `attach`, and another attachment to the same LAN. */
async function attached(attach: "macvtap" | "veth"): Promise<AgentParts> {
  const agent = new AgentParts();
  await agent.add({}, { attach });
  await agent.add({ containerId: "c2", netns: POD2 }, { spoke: "pod2" });
  return agent;
}

function check(agent: AgentParts): void {
  checkAttachment(agent, agent.service.require(addRequest()));
}

for (const attach of ["macvtap", "veth"] as const) {
  Deno.test(`checkAttachment() finds nothing wrong with a new ${attach}`, async () => {
    using agent = await attached(attach);
    check(agent);
  });
}

interface Drift {
  readonly what: string;
  readonly attach: "macvtap" | "veth";
  change(agent: AgentParts): void;
  readonly says: RegExp;
  readonly code?: string;
}

const drifts: readonly Drift[] = [
  {
    what: "an interface that is gone",
    attach: "macvtap",
    change: ({ kernel }) => kernel.machine.remove(kernel.link(POD1, "net1")),
    says: /ip link add .*net1 .*type macvtap/,
  },
  {
    what: "an interface that is called otherwise by now",
    attach: "macvtap",
    change: ({ kernel }) => kernel.machine.rename(kernel.link(POD1, "net1"), "mine"),
    says: /it is missing/,
  },
  {
    what: "an interface that is down",
    attach: "veth",
    change: ({ kernel }) => kernel.link(POD1, "net1").up = false,
    says: /it is down/,
  },
  {
    what: "another address",
    attach: "macvtap",
    change: ({ kernel }) => kernel.link(POD1, "net1").address = "02:00:00:00:00:99",
    says: /its address is 02:00:00:00:00:99, not 02:/,
  },
  {
    what: "another MTU",
    attach: "veth",
    change: ({ kernel }) => kernel.link(POD1, "net1").mtu = 1300,
    says: /its MTU is 1300, not 1426/,
  },
  {
    what: "a tap device that leads elsewhere",
    attach: "macvtap",
    change: ({ kernel }) => {
      const tap = kernel.link(POD1, "net1");
      kernel.machine.taps.set(tap.index, kernel.link(POD2, "net1"));
    },
    says: /leads to another macvtap/,
    code: "TapClash",
  },
  {
    what: "a namespace that is gone",
    attach: "macvtap",
    change: ({ kernel }) => kernel.machine.removePath(POD1),
    says: /its network namespace "\/run\/netns\/pod1" is gone/,
  },
  {
    what: "another namespace at the same path",
    attach: "veth",
    change: ({ kernel }) => {
      kernel.machine.removePath(POD1);
      kernel.machine.addNetns(POD1);
    },
    says: /its network namespace "\/run\/netns\/pod1" is gone/,
  },
  {
    what: "a host end that is down",
    attach: "macvtap",
    change: ({ kernel }) => kernel.link(HOST, "pod1").up = false,
    says: /ip link set .*pod1 up$/,
  },
  {
    what: "a port that is no port",
    attach: "veth",
    change: ({ kernel }) => kernel.machine.leave(kernel.link(NETNS, "pod1.b")),
    says: /ip link set .*pod1\.b master br2/,
  },
  {
    what: "a bridge that is down",
    attach: "macvtap",
    change: ({ kernel }) => kernel.link(NETNS, "br2").up = false,
    says: /ip link set .*br2 up$/,
  },
  {
    what: "a VXLAN that is gone",
    attach: "macvtap",
    change: ({ kernel }) => kernel.machine.remove(kernel.link(NETNS, "vx2")),
    says: /ip link add .*vx2 .*type vxlan id 222/,
  },
];

for (const { what, attach, change, says, code = "Drift" } of drifts) {
  Deno.test(`checkAttachment() names ${what}`, async () => {
    using agent = await attached(attach);
    change(agent);
    const before = agent.snapshot();
    assert.throws(() => check(agent), (error) => {
      assert.ok(error instanceof K8slanError, String(error));
      assert.match(error.message, says);
      if (code === "Drift") {
        assert.match(error.message, /^Interface "net1" on LAN "k8slan-system\/lan-test": /);
      }
      return error.code === code;
    });
    assert.deepEqual(agent.snapshot(), before);
  });
}

for (
  const [what, change] of [
    ["another attachment's trouble", ({ kernel }) => {
      kernel.machine.remove(kernel.link(POD2, "net1"));
    }],
    ["a LAN that is configured no more", ({ registry, kernel }) => {
      registry.replace([]);
      kernel.machine.remove(kernel.link(NETNS, "vx2"));
    }],
    ["an underlay that is missing", ({ registry, kernel }) => {
      registry.replace([seedLan({ vxlanDevMap: { worker1: "eth9" } })]);
      kernel.machine.remove(kernel.link(NETNS, "vx2"));
    }],
    ["an attachment of which only the mark tells", ({ attachments, kernel }) => {
      const { details: _, target: __, ...rest } = attachments.get("c1@net1")!;
      attachments.restore(rest);
      kernel.link(POD1, "net1").up = false;
    }],
  ] as readonly (readonly [string, (agent: AgentParts) => void])[]
) {
  Deno.test(`checkAttachment() does not hold ${what} against it`, async () => {
    using agent = await attached("macvtap");
    change(agent);
    check(agent);
  });
}
