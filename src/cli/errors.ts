/** What the user can put right: printed as one line on stderr; the command exits with code 2. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Node's words for what went wrong with a file, without the call and the path that it puts around them. */
export function fileError(path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: "no such file",
    EISDIR: "this is a directory",
    EACCES: "permission denied",
  };
  return new UserError(`${path}: ${reasons[code ?? ""] ?? message}`);
}
