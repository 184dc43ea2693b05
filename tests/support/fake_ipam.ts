/** An IPAM plugin for tests: a shell script that records its calls and prints what it is told. */

const SCRIPT = `#!/bin/sh
dir=$(dirname "$0")
cat > "$dir/stdin"
env | grep -E '^(CNI_|K8SLAN_|MARK)' | sort > "$dir/env"
echo "$CNI_COMMAND" >> "$dir/calls"
if [ -f "$dir/$CNI_COMMAND.out" ]; then cat "$dir/$CNI_COMMAND.out"; fi
exit "$(cat "$dir/$CNI_COMMAND.exit" 2>/dev/null || echo 0)"
`;

export class FakeIpam implements Disposable {
  /** For CNI_PATH. */
  readonly dir: string;

  /** Installs the script as `name`; `script` stands in for the usual one. */
  constructor(name = "fake", script = SCRIPT) {
    this.dir = Deno.makeTempDirSync({ prefix: "k8slan-ipam-" });
    Deno.writeTextFileSync(`${this.dir}/${name}`, script, { mode: 0o755 });
  }

  /** What `command` prints (text, or a value as JSON) and its exit code. */
  on(command: string, output: unknown, exitCode = 0): this {
    const text = typeof output === "string" ? output : JSON.stringify(output);
    Deno.writeTextFileSync(`${this.dir}/${command}.out`, text);
    Deno.writeTextFileSync(`${this.dir}/${command}.exit`, String(exitCode));
    return this;
  }

  /** CNI_COMMAND of each call so far. */
  get calls(): string[] {
    return this.#read("calls").split("\n").filter(Boolean);
  }

  /** Standard input of the last call. */
  get stdin(): string {
    return this.#read("stdin");
  }

  /** Environment of the last call: CNI_*, K8SLAN_* and MARK*. */
  get env(): Readonly<Record<string, string>> {
    const lines = this.#read("env").split("\n").filter(Boolean);
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }

  #read(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.dir}/${name}`);
    } catch {
      return "";
    }
  }
}
