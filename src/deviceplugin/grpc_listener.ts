/** A gRPC server behind a unix socket that can be made anew while calls go on. */

import { createServer, type Server as SocketServer, type Socket } from "node:net";
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { K8slanError } from "../base/errors.ts";

/**
 * It listens by itself, hands accepted connections to grpc-js, and closes them itself. grpc-js ends
 * a connection by a GOAWAY frame: under Deno 2.9 that leaves it open, so that the other side never
 * notices, and now and then aborts the whole process ("closed_next == NULL" in nghttp2).
 */
export class GrpcListener implements Disposable {
  readonly path: string;
  readonly #server = new Server({ "grpc.enable_channelz": 0 });
  readonly #injector: ConnectionInjector;
  readonly #connections = new Set<Socket>();
  #emptied = () => {};
  #listener: SocketServer | undefined;

  /** Serves at the unix socket `path` once `listen` is called. */
  constructor(
    path: string,
    service: ServiceDefinition,
    implementation: UntypedServiceImplementation,
  ) {
    this.path = path;
    this.#server.addService(service, implementation);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /**
   * Listens; again, if it did already and the socket file is gone: calls on connections that are
   * open go on. Replaces a socket at its path; throws K8slanError "SocketClash" for anything else
   * there, and the system's error for a path that cannot be used.
   */
  async listen(): Promise<void> {
    this.#stopListening();
    removeSocket(this.path);
    const listener = createServer((connection) => this.#accept(connection, listener));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.on("error", reject); // later: a connection could not be accepted; it is lost
      listener.listen(this.path, resolve);
    });
  }

  #accept(connection: Socket, listener: SocketServer): void {
    if (this.#listener !== listener) {
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    connection.on("close", () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#emptied();
    });
    connection.on("error", () => {}); // "close" follows
    this.#injector.injectConnection(connection);
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
    for (const connection of this.#connections) connection.destroy();
  }

  #stopListening(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }
}

function removeSocket(path: string): void {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new K8slanError("SocketClash", `"${path}" exists and is not a socket; remove it`);
    }
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
