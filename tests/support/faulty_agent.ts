/**
 * The node agent as a program that can be told to die at a message to the kernel.
 *
 * It takes the options of `k8slan agent`, and reads the file `fault` in its run directory at every
 * message: while that says "before 3 …", the process kills itself before the third message since.
 * A text of its own for each fault makes the count begin anew.
 */

import { parseArgs } from "node:util";
import { agentMain } from "../../src/agent/main.ts";
import type { Transport } from "../../src/netlink/client.ts";
import { openNetlinkSocket } from "../../src/sys/netlink_socket.ts";

class Fault {
  readonly #path: string;
  #text = "";
  #count = 0;

  constructor(runDir: string) {
    this.#path = `${runDir}/fault`;
  }

  /** Dies in here when the time has come; otherwise dies in the function returned, or goes on. */
  nextMessage(): () => void {
    const text = this.#read();
    if (text !== this.#text) {
      this.#text = text;
      this.#count = 0;
    }
    const [when, at] = text.split(" ");
    if (++this.#count !== Number(at)) return () => {};
    if (when === "before") die();
    // Unless the fault was taken back meanwhile: a message can be under way on another thread.
    return () => {
      if (this.#read() === text) die();
    };
  }

  #read(): string {
    try {
      return Deno.readTextFileSync(this.#path);
    } catch {
      return "";
    }
  }
}

function die(): void {
  Deno.kill(Deno.pid, "SIGKILL");
}

function faultyTransport(fault: Fault, protocol?: number): Transport {
  const inner = openNetlinkSocket(protocol);
  return {
    send(datagram) {
      const after = fault.nextMessage();
      inner.send(datagram);
      after();
    },
    receive: () => inner.receive(),
    async sendInBackground(datagram) {
      const after = fault.nextMessage();
      await inner.sendInBackground(datagram);
      after();
    },
    [Symbol.dispose]: () => inner[Symbol.dispose](),
  };
}

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({
  args: Deno.args.slice(1),
  options: {
    standalone: { type: "boolean" },
    ...{ lans: text, node: text, "run-dir": text, "state-dir": text, "log-level": text },
  },
});
const fault = new Fault(values["run-dir"]);
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
await agentMain(
  {
    standalone: true,
    lansDir: values.lans,
    node: values.node,
    runDir: values["run-dir"],
    stateDir: values["state-dir"],
    tapOwner: { uid: 107, gid: 107 },
    logLevel: "debug",
    probeInterval: 10,
  },
  stop.signal,
  { transport: (protocol) => faultyTransport(fault, protocol) },
);
Deno.exit(0);
