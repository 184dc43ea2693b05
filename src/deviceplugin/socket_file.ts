/** Which file is behind a path: one may be gone and another there in its place. */

/** The socket at `path`, to be told from a later one there; undefined if there is none. */
export function socketIdentity(path: string): string | undefined {
  const info = lstat(path);
  return info?.isSocket === true ? identityOf(info) : undefined;
}

/** As `socketIdentity`, for files of any kind. */
export function fileIdentity(path: string): string | undefined {
  const info = lstat(path);
  return info === undefined ? undefined : identityOf(info);
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Inode numbers are used again at once; together with the time of creation they are not. */
function identityOf(info: Deno.FileInfo): string {
  const born = info.isDirectory ? info.birthtime : info.mtime;
  return `${info.dev}:${info.ino}:${born?.getTime()}`;
}
