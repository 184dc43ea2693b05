/** An agent for tests: a real unix socket in a folder of its own, scripted answers, recorded requests. */

/** What the stub does with a request, or a function that decides it at that moment. */
export type StubScript = StubReply | ((request: StubRequest) => StubReply);

export type StubReply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: unknown }
  /** Closes the connection without an answer. */
  | "close"
  /** Says nothing until the stub ends. */
  | "hang"
  /** These bytes as they are, then closes. */
  | { readonly raw: string };

export type StubRequest = Readonly<Record<string, unknown>>;

/** Attached as a real agent would answer it. */
export const ATTACHED = {
  ifname: "net1",
  netns: "/run/netns/blue",
  mac: "02:00:00:00:00:01",
  mtu: 1426,
  lan: "default/lan1",
  spoke: "pod1",
  attach: "macvtap",
  tap: "/dev/tap1048577",
};

const DEFAULTS: Readonly<Record<string, StubReply>> = {
  add: { ok: true, result: ATTACHED },
};

export class StubAgent implements AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  /** Requests in the order they came. */
  readonly requests: StubRequest[] = [];
  readonly #replies: Map<string, StubScript>;
  #listener: Deno.UnixListener | undefined;
  readonly #open = new Set<Deno.UnixConn>();
  readonly #work: Promise<void>[] = [];

  /** Listens at once; `replies` by `op`, everything else is answered with an empty success. */
  constructor(replies: Readonly<Record<string, StubScript>> = {}) {
    this.dir = Deno.makeTempDirSync({ prefix: "k8slan-stub-" });
    this.socket = `${this.dir}/agent.sock`;
    this.#replies = new Map(Object.entries({ ...DEFAULTS, ...replies }));
    this.start();
  }

  /** `op` of each request so far. */
  get ops(): unknown[] {
    return this.requests.map((request) => request["op"]);
  }

  reply(op: string, reply: StubScript): void {
    this.#replies.set(op, reply);
  }

  start(): void {
    this.#listener = Deno.listen({ transport: "unix", path: this.socket });
    this.#work.push(this.#accept(this.#listener));
  }

  /** Stops listening and drops every connection; the socket file stays, as after a crash. */
  stop(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const conn of this.#open) conn.close();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await Promise.all(this.#work);
    Deno.removeSync(this.dir, { recursive: true });
  }

  async #accept(listener: Deno.UnixListener): Promise<void> {
    for await (const conn of listener) {
      this.#open.add(conn);
      this.#work.push(this.#serve(conn));
    }
  }

  async #serve(conn: Deno.UnixConn): Promise<void> {
    try {
      const line = await readLine(conn);
      if (line === undefined) return;
      const request: StubRequest = JSON.parse(line);
      this.requests.push(request);
      const script = this.#replies.get(String(request["op"])) ?? { ok: true, result: {} };
      const reply = typeof script === "function" ? script(request) : script;
      if (reply === "close") return;
      if (reply === "hang") {
        await readLine(conn);
        return;
      }
      const text = "raw" in reply ? reply.raw : JSON.stringify(reply) + "\n";
      const bytes = new TextEncoder().encode(text);
      for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    } catch {
      // the other side, or stop(), closed it
    } finally {
      if (this.#open.delete(conn)) conn.close();
    }
  }
}

async function readLine(conn: Deno.UnixConn): Promise<string | undefined> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  while (!text.includes("\n")) {
    const count = await conn.read(chunk);
    if (count === null) return undefined;
    text += decoder.decode(chunk.subarray(0, count), { stream: true });
  }
  return text.slice(0, text.indexOf("\n"));
}
