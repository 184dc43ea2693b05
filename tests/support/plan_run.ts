/**
 * Plans a LAN with one macvtap and one veth on the node it runs in, and does with it what it is
 * told: NODE DIRECTORY SPEC ACTION, the spec of the LAN being JSON laid over that of the README.
 *
 * `text` prints what is missing as shell lines, `apply` does it, `missing` prints it as JSON;
 * `removal-text` and `remove` take all of it away again.
 */

// deno-lint-ignore-file no-console

import { LinuxKernel } from "../../src/kernel/linux.ts";
import { detachment, diff, removal } from "../../src/plan/diff.ts";
import { lanPlan } from "../../src/plan/lan_plan.ts";
import { opText } from "../../src/plan/ops_text.ts";
import { macvtapOn, scopeOf, seedLan, vethOn } from "./lan_fixture.ts";

const [node = "", dir = "", spec = "{}", action = ""] = Deno.args;
/** Of a LAN with a unicast underlay, whichever kind of address the node has. */
const PEERS = ["fe80::b", "fe80::c", "2001:db8::b", "2001:db8::c"];

const netnsDir = `${dir}/netns`;
Deno.mkdirSync(netnsDir, { recursive: true });
using kernel = new LinuxKernel(netnsDir);
const lan = seedLan({ vxlanDevMap: { [node]: "eth1" }, ...JSON.parse(spec) });
const [first = "", second = ""] = lan.spec.spokes;
const attachments = [
  macvtapOn(first, { node, target: `${dir}/vm`, ifname: "pod0a1b2c3d4e5" }),
  vethOn(second, { node, target: `${dir}/pod`, ifname: "net1" }),
];
const wanted = lanPlan(lan, { name: node, netnsDir }, kernel.underlay("eth1"), attachments, PEERS);
const observed = kernel.observe(scopeOf(wanted));

switch (action) {
  case "text":
    console.log(diff(wanted, observed).flatMap(opText).join("\n"));
    break;
  case "apply":
    await kernel.apply(diff(wanted, observed));
    break;
  case "missing":
    console.log(JSON.stringify(diff(wanted, observed)));
    break;
  case "removal-text":
    console.log(everythingAway().flatMap(opText).join("\n"));
    break;
  case "remove":
    await kernel.apply(everythingAway());
    await kernel.settled();
    break;
  default:
    throw new Error(`Unknown action "${action}"`);
}

function everythingAway() {
  return [
    ...attachments.flatMap(({ port }) => detachment(observed, wanted.netns.path, port)),
    ...removal(wanted, observed.links.values()),
  ];
}
