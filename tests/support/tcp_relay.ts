/** A way to a TCP server that a test can cut without either end noticing. */

export class TcpRelay implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #dead = new WeakSet<Deno.Conn>();
  /** How many connections were made through it. */
  connections = 0;

  constructor(port: number) {
    this.#accept(port).catch(() => {}); // closed
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Swallows from now on what comes over the present connections; new ones work. */
  blackHole(): void {
    for (const conn of this.#conns) this.#dead.add(conn);
  }

  async #accept(port: number): Promise<void> {
    for await (const near of this.#listener) {
      this.connections++;
      const far = await Deno.connect({ hostname: "127.0.0.1", port });
      for (const conn of [near, far]) this.#conns.add(conn);
      this.#copy(near, far);
      this.#copy(far, near);
    }
  }

  async #copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const chunk = new Uint8Array(64 * 1024);
    try {
      for (let count = await from.read(chunk); count !== null; count = await from.read(chunk)) {
        for (let at = 0; at < count && !this.#dead.has(from);) {
          at += await to.write(chunk.subarray(at, count));
        }
      }
    } catch { /* one of them was closed */ }
    if (!this.#dead.has(from)) this.#close(to);
  }

  #close(conn: Deno.Conn): void {
    this.#conns.delete(conn);
    try {
      conn.close();
    } catch { /* it is */ }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#conns) this.#close(conn);
  }
}
