/** Errors that callers branch on; every other failure is a built-in error with a `cause`. */

/**
 * A failure that names the object, what was found, what was expected and what to do.
 *
 * `code` is a stable word in CamelCase ("SpokeInUse"), used as condition reason and in logs.
 * `retriable` says that the same request may succeed later without anyone changing it.
 */
export class K8slanError extends Error {
  readonly code: string;
  readonly retriable: boolean;

  constructor(
    code: string,
    message: string,
    options: { readonly retriable?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "K8slanError";
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** The text of an error with its chain of causes, on one line. */
export function describe(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && current !== null && depth < 8; depth++) {
    const text = current instanceof Error ? current.message : String(current);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ").replaceAll(/\s*\n\s*/g, " ");
}
