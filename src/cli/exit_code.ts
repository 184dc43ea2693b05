/** What the program's exit code means; part of the contract with scripts. */

export const ExitCode = {
  Ok: 0,
  /** It did not work, and standard error says why. */
  Failed: 1,
  /** The command line itself is wrong; nothing was tried. */
  Usage: 2,
  /** `status` alone: the agent answered, and something needs attention. */
  Attention: 3,
} as const;

/** A command line that the option parser takes but that makes no sense. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
