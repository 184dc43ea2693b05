/** Requests on the agent's socket → the parts that do them. */

import type { AgentRequest, Condition } from "../api/agent_protocol.ts";
import { parseAttachConfig } from "../api/cni_config.ts";
import type { Log } from "../base/log.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { AttachService } from "./attach_service.ts";
import type { Attachments } from "./attachments.ts";
import { checkAttachment } from "./check.ts";
import type { LanBuilder } from "./lan_builder.ts";
import type { LanRegistry } from "./lan_registry.ts";
import { nodeView } from "./node_view.ts";
import type { Probes } from "./probes.ts";
import type { Reconciler } from "./reconciler.ts";
import type { RequestHandler } from "./socket_server.ts";

export interface HandlerDependencies {
  readonly node: string;
  readonly kernel: Kernel;
  readonly builder: LanBuilder;
  readonly registry: LanRegistry;
  readonly attachments: Attachments;
  readonly service: AttachService;
  readonly reconciler: Reconciler;
  readonly problems: () => readonly Condition[];
  readonly probes?: Pick<Probes, "view">;
  readonly log: Log;
}

export class AgentHandler implements RequestHandler {
  readonly #deps: HandlerDependencies;

  constructor(deps: HandlerDependencies) {
    this.#deps = deps;
  }

  async handle(request: AgentRequest): Promise<unknown> {
    const { service } = this.#deps;
    switch (request.op) {
      case "add":
        return await service.add(request);
      case "del":
        return await service.del(request);
      case "configure":
        return await service.configure(request);
      case "gc":
        return await service.gc(request);
      case "check":
        parseAttachConfig(request.config, request.args ?? "");
        return checkAttachment(this.#deps, service.require(request));
      case "view":
        return nodeView(this.#deps);
      case "ready":
        return undefined;
    }
  }

  /** An attachment whose asker hung up would belong to nobody; everything else may stand. */
  async undo(request: AgentRequest): Promise<void> {
    if (request.op !== "add") return;
    this.#deps.log.warn("Nobody waits for this attachment any more; taking it back", {
      container: request.containerId,
      ifname: request.ifname,
    });
    await this.#deps.service.del(request);
  }
}
