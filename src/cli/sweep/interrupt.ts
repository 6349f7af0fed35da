/** Ctrl-C: the first one asks to stop, the second one leaves at once. */
import { INTERRUPTED } from "../exit.ts";

/** Whether somebody asked to stop. */
export interface Stop {
  asked: boolean;
  /** Hears no more of Ctrl-C. */
  end(): void;
}

/**
 * Hears of SIGINT and SIGTERM. The second one ends the process: results are written whole or not at all.
 * @param asked is called at the first one
 */
export function onInterrupt(asked: () => void): Stop {
  const hear = (): void => {
    if (stop.asked) process.exit(INTERRUPTED);
    stop.asked = true;
    asked();
    process.stderr.write("heteromem: what runs is finished; once more leaves at once\n");
  };
  const stop: Stop = {
    asked: false,
    end: () => {
      process.off("SIGINT", hear);
      process.off("SIGTERM", hear);
    },
  };
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  return stop;
}
