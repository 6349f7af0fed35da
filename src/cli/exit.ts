/** Exit codes beside 0, and 2 for what {@link UserError} says. */

/** Of a command that runs several jobs: some failed. */
export const JOBS_FAILED = 1;
/** The trace ends early; what there is of it is reported or written. */
export const PARTIAL = 3;
/** Ctrl-C: 128 + SIGINT, as in shells. */
export const INTERRUPTED = 130;
/** Why a run that Ctrl-C has stopped is partial. */
export const STOPPED = "interrupted";
