/** A directory that goes with the test. */

export class TempDir implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "k8slan-test-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
