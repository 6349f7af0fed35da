/** The worker of the simulator: runs one simulation at a time. */
import type { Answer, Numbered, Request } from "./messages.ts";
import { WatchedRun } from "./watched-run.ts";

let run: WatchedRun | null = null;

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.type !== "run") {
    run?.[data.type]();
    return;
  }
  const { number } = data;
  const post = (answer: Answer): void => {
    const message: Numbered = { number, answer };
    postMessage(message);
  };
  run?.stop();
  run = new WatchedRun(data, post);
  run.run().catch((error: unknown) => {
    post({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  });
});
