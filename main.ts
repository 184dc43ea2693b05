/**
 * Entry point of the one executable: chooses the role and returns its exit code.
 *
 * Only string-literal dynamic imports stand here, so that `deno compile` and the bundler find both
 * roles, and a CNI call loads none of the command line's code.
 */

/** The role's exit code; a container runtime always sets CNI_COMMAND (CNI spec, section 2). */
async function run(): Promise<number> {
  if (Deno.env.get("CNI_COMMAND") !== undefined) {
    const { cniMain } = await import("./src/cni/main.ts");
    return await cniMain();
  }
  const { cliMain } = await import("./src/cli/main.ts");
  return await cliMain(Deno.args);
}

Deno.exit(await run());
