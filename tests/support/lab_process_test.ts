import { LabProcess } from "./lab_process.ts";

Deno.test("LabProcess.kill() does nothing at the moment when the process ends, either", async () => {
  // The runtime knows of the end a little before we do: one process in three meets that.
  for (let time = 0; time < 30; time++) {
    await using process = new LabProcess(["true"]);
    let hasEnded = false;
    process.ended.then(() => hasEnded = true);
    while (!hasEnded) {
      await Deno.lstat("/");
      for (let turn = 0; turn < 12; turn++) {
        process.kill("SIGCONT");
        await Promise.resolve();
      }
    }
  }
});
