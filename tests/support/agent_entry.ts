/** The node agent as a program of its own: its options as JSON in the one argument. */

import { agentMain, type AgentOptions } from "../../src/agent/main.ts";

const options: AgentOptions = JSON.parse(Deno.args[0] ?? "{}");
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
await agentMain(options, stop.signal);
Deno.exit(0);
