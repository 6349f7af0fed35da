/** What a sweep would take: a few of its jobs are run, and nothing is written. */
import { pointText, type Plan } from "./plan.ts";
import { runJob } from "./task.ts";
import { plural } from "../words.ts";
import { spanOf } from "./bar.ts";

/** Jobs that are run for an estimate, and seconds after which no other one begins. */
const SAMPLES = 5;
const SECONDS = 5;

/** The jobs of a dry run by their lines, and how long the missing ones would take. */
export async function dryRun(
  { manifest, jobs }: Plan,
  missing: readonly string[],
  { traces, workers }: { traces: string; workers: number },
): Promise<string> {
  const lines = manifest.jobs.map(({ id, point }) => `${id.slice(0, 12)}  ${pointText(point)}`);
  const known = manifest.jobs.length - jobs.size;
  lines.push(
    `${plural(manifest.jobs.length, "job")}${known === 0 ? "" : `, of which ${known} equal another one`}; ` +
      `${missing.length} to run`,
  );
  if (missing.length === 0) return lines.join("\n");
  const step = Math.max(1, Math.floor(missing.length / SAMPLES));
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  let samples = 0;
  for (let at = step >> 1; at < missing.length && samples < SAMPLES && elapsed() < SECONDS; at += step) {
    await runJob({ job: jobs.get(missing[at])!.job, traces });
    samples++;
  }
  const each = elapsed() / samples;
  const all = (each * missing.length) / workers;
  lines.push(
    `${plural(samples, "sample")} took ${(1000 * each).toFixed(0)} ms each: about ${spanOf(all)} with ` +
      plural(workers, "worker"),
  );
  return lines.join("\n");
}
