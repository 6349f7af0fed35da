/**
 * An error that the user can correct: the command prints its message on stderr, in one line, and exits with
 * code 2.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The trace's file is damaged from here on; what comes before is good. */
export class DamagedError extends UserError {
  readonly reason: string;

  constructor(where: string, reason: string) {
    super(`${where}: ${reason}`);
    this.reason = reason;
  }
}

/** Names a file and what went wrong with it, in Node's words without the call and the path that Node adds. */
export function fileError(path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: "no such file",
    EISDIR: "this is a directory",
    EACCES: "permission denied",
  };
  return new UserError(`${path}: ${reasons[code ?? ""] ?? message}`);
}
