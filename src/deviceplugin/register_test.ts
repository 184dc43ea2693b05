import { deepEqual, equal, rejects } from "node:assert/strict";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { devicePluginCodecs } from "./codec.ts";
import { type GrpcHandler, unary } from "./grpc_call.ts";
import { GrpcListener } from "./grpc_listener.ts";
import { Registration } from "./register.ts";

const { signal } = new AbortController();

/** A kubelet that does nothing but take registrations, at "kubelet.sock" in `dir`. */
function kubelet(dir: TempDir, answered: Promise<void> = Promise.resolve()) {
  const path = `${dir.path}/kubelet.sock`;
  const names: string[] = [];
  const { register, empty } = devicePluginCodecs();
  const take = unary(register, empty, ({ resource_name }) => {
    names.push(resource_name);
    return {};
  });
  const handler: GrpcHandler = (call) => void answered.then(() => take(call));
  const listener = new GrpcListener(path, new Map([["/v1beta1.Registration/Register", handler]]));
  listener.listen();
  return { path, names, [Symbol.dispose]: () => listener[Symbol.dispose]() };
}

/** Connections at a unix socket's path, as the kernel tells of them: by the name it was made with. */
function connections(path: string): number {
  const made = path.replace(/([^/]*)$/, ".$1");
  return Deno.readTextFileSync("/proc/net/unix").split("\n")
    .filter((line) => line.endsWith(` ${made}`) && line.split(/\s+/)[5] === "03").length;
}

Deno.test("Registration shares a connection among those who register together, and then closes it", async () => {
  using dir = new TempDir();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  using server = kubelet(dir, answered);
  const registration = new Registration(server.path);
  const names = Array.from({ length: 20 }, (_, at) => `example.com/r${at}`);
  const all = names.map((name) => registration.register(name, "endpoint", signal));
  await until("kubelet is called", () => connections(server.path) > 0);
  equal(connections(server.path), 1);
  answer();
  await Promise.all(all);
  deepEqual(server.names.toSorted(), names.toSorted());
  await until("nothing is left open", () => connections(server.path) === 0);
  await registration.register("example.com/later", "endpoint", signal);
  equal(server.names.at(-1), "example.com/later");
});

Deno.test("Registration makes another connection after one that failed", async () => {
  using dir = new TempDir();
  const never = new Promise<void>(() => {});
  const server = kubelet(dir, never);
  const registration = new Registration(server.path);
  const lost = registration.register("example.com/lost", "endpoint", signal);
  await until("kubelet is called", () => connections(server.path) === 1);
  server[Symbol.dispose]();
  await rejects(lost, { code: "Unavailable" });
  await rejects(registration.register("example.com/nobody", "endpoint", signal), {
    code: "Unavailable",
  });
  using next = kubelet(dir);
  await registration.register("example.com/again", "endpoint", signal);
  deepEqual(next.names, ["example.com/again"]);
});
