/** The worker of the simulator: runs one simulation at a time. */
import type { Answer, Request } from "./messages.ts";
import { WatchedRun } from "./watched-run.ts";

const post = (answer: Answer): void => postMessage(answer);
let run: WatchedRun | null = null;

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.type !== "run") {
    run?.[data.type]();
    return;
  }
  run?.stop();
  run = new WatchedRun(data, post);
  run.run().catch((error: unknown) => {
    post({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  });
});
