/** What the command line needs of its process, so that tests can stand in for it. */

export interface CliHost {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  env(name: string): string | undefined;
  /** Standard input up to its end. */
  stdin(): Promise<string>;
  /** This machine's name. */
  hostname(): string;
}

export const processHost: CliHost = {
  out: (text) => writeAll(Deno.stdout, text),
  err: (text) => writeAll(Deno.stderr, text),
  env: (name) => Deno.env.get(name),
  stdin: async () => await new Response(Deno.stdin.readable).text(),
  hostname: () => Deno.hostname(),
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}

/** The node a command is about: as asked, or as Kubernetes says, or this machine's name. */
export function nodeName(asked: string | undefined, host: CliHost): string {
  // Kubernetes names nodes in lower case whatever the machine calls itself.
  return asked ?? (host.env("NODE_NAME") || host.hostname().toLowerCase());
}
