/** Checks for `assert.throws` and `assert.rejects`. */

import { K8slanError } from "../../src/base/errors.ts";

/** Is the error a `K8slanError` of this code? */
export function codeIs(code: string): (error: unknown) => boolean {
  return (error) => error instanceof K8slanError && error.code === code;
}
