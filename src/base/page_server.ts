/** Plain HTTP for kubelet and for Prometheus: GET, a few paths, small answers. */

import { describe } from "./errors.ts";
import type { Log } from "./log.ts";

export interface PageAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

export interface PageServerOptions {
  /** The answer of each path. */
  readonly pages: Readonly<Record<string, () => PageAnswer | Promise<PageAnswer>>>;
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Log;
}

const TEXT = "text/plain; charset=utf-8";

/** The port is bound when this returns; throws if it can't be. */
export function startPageServer(options: PageServerOptions): Deno.HttpServer<Deno.NetAddr> {
  const { pages, hostname, port, log } = options;
  const pageOf = new Map(Object.entries(pages));
  return Deno.serve({
    hostname,
    port,
    onListen() {},
    onError(error) {
      log.error("A page can't be shown", { error: describe(error) });
      return new Response("Internal error\n", { status: 500 });
    },
  }, async (request) => {
    const page = pageOf.get(new URL(request.url).pathname);
    if (page === undefined) return new Response("No such path\n", { status: 404 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET is taken\n", { status: 405, headers: { allow: "GET" } });
    }
    const { status, body, contentType = TEXT } = await page();
    return new Response(body, { status, headers: { "content-type": contentType } });
  });
}

/** "ok", or each problem on a line of its own. */
export function problemPage(problems: readonly string[]): PageAnswer {
  if (problems.length === 0) return { status: 200, body: "ok\n" };
  return { status: 503, body: `${problems.join("\n")}\n` };
}
