/** A gRPC server behind a unix socket, whose socket file can be made anew while calls go on. */

import { K8slanError } from "../base/errors.ts";
import { removeIfThere } from "../base/files.ts";
import { listenPrivately } from "../base/private_socket.ts";
import { type GrpcService, serveCall } from "./grpc_call.ts";
import { Http2Connection } from "./http2/connection.ts";
import { fileIdentity, socketIdentity } from "./socket_file.ts";

/** After a connection could not be accepted, for want of file descriptors for one. */
const ACCEPT_PAUSE_MS = 100;

/**
 * It stands on an HTTP/2 of our own. That of `node:http2`, and with it grpc-js, has under Deno 2.9
 * no way to end a connection from this side, keeps 16 kB of each that ended, and now and then takes
 * the process down.
 */
export class GrpcListener implements Disposable {
  readonly path: string;
  readonly #service: GrpcService;
  readonly #connections = new Set<Http2Connection>();
  #listener: Deno.Listener | undefined;
  /** The socket file that it made. */
  #socket: string | undefined;
  #emptied = () => {};

  /** Serves at the unix socket `path` once `listen` is called. */
  constructor(path: string, service: GrpcService) {
    this.path = path;
    this.#service = service;
  }

  /**
   * Listens, for root alone; again, if it did already and the socket file is gone: calls on
   * connections that are open go on. Replaces a socket at its path; throws K8slanError "SocketClash"
   * for anything else there, and the system's error for a path that cannot be used.
   */
  listen(): void {
    this.#stopListening();
    const found = fileIdentity(this.path);
    if (found !== undefined && found !== socketIdentity(this.path)) {
      throw new K8slanError("SocketClash", `"${this.path}" exists and is not a socket; remove it`);
    }
    const listener = listenPrivately(this.path);
    this.#listener = listener;
    this.#socket = socketIdentity(this.path);
    this.#accept(listener);
  }

  /** Stops listening, lets the other side hang up within `graceMs`, then closes what is left. */
  async drain(graceMs: number): Promise<void> {
    this.#stopListening();
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.#emptied = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this[Symbol.dispose]();
  }

  /** Closes the listener, removing its socket file, and then all connections. */
  [Symbol.dispose](): void {
    this.#stopListening();
    for (const connection of this.#connections) connection[Symbol.dispose]();
    this.#emptied();
  }

  #stopListening(): void {
    if (this.#listener === undefined) return;
    this.#listener.close();
    this.#listener = undefined;
    if (socketIdentity(this.path) === this.#socket) removeIfThere(this.path);
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    while (this.#listener === listener) {
      try {
        this.#serve(await listener.accept());
      } catch {
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #serve(socket: Deno.Conn): Promise<void> {
    if (this.#listener === undefined) return socket.close(); // accepted at the last moment
    const connection = new Http2Connection(socket, (stream) => serveCall(stream, this.#service));
    this.#connections.add(connection);
    await connection.run();
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#emptied();
  }
}
