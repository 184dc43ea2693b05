import { deepEqual, equal, throws } from "node:assert/strict";
import { leaveSocket } from "../../tests/support/stale_socket.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { listenPrivately } from "./private_socket.ts";

const names = (dir: TempDir) => Array.from(Deno.readDirSync(dir.path), ({ name }) => name);

Deno.test("listenPrivately() lets nobody but its owner connect, and leaves nothing else", async () => {
  using dir = new TempDir();
  const path = `${dir.path}/a.sock`;
  using listener = listenPrivately(path);
  equal(Deno.statSync(path).mode! & 0o777, 0o600);
  deepEqual(names(dir), ["a.sock"]);
  const accepted = listener.accept();
  using _asker = await Deno.connect({ transport: "unix", path });
  using _answerer = await accepted;
});

Deno.test("listenPrivately() leaves the process's umask alone", () => {
  using dir = new TempDir();
  // Another thread that sets it at the same time would set it for good.
  const umask = Deno.umask;
  let calls = 0;
  Deno.umask = (...args) => {
    calls++;
    return umask(...args);
  };
  try {
    listenPrivately(`${dir.path}/a.sock`).close();
  } finally {
    Deno.umask = umask;
  }
  equal(calls, 0);
});

Deno.test("listenPrivately() takes the place of a socket, and of what a killed process left", () => {
  using dir = new TempDir();
  const path = `${dir.path}/a.sock`;
  listenPrivately(path).close();
  leaveSocket(`${dir.path}/.a.sock`);
  using _ = listenPrivately(path);
  deepEqual(names(dir), ["a.sock"]);
});

Deno.test("listenPrivately() leaves nothing where it can't listen", () => {
  using dir = new TempDir();
  Deno.mkdirSync(`${dir.path}/a.sock`);
  throws(() => listenPrivately(`${dir.path}/a.sock`));
  deepEqual(names(dir), ["a.sock"]);
  throws(() => listenPrivately(`${dir.path}/none/a.sock`), Deno.errors.NotFound);
});
