/** Makes a socket file at `path` behind which nobody listens, as a process that was killed leaves it. */
export function leaveSocket(path: string): void {
  const listener = Deno.listen({ transport: "unix", path });
  // Closing removes the file, if it is still there.
  Deno.renameSync(path, `${path}.kept`);
  listener.close();
  Deno.renameSync(`${path}.kept`, path);
}
