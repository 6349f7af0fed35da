/** The queue of jobs on Redis: BullMQ, which users install beside heteromem. */
import type { Redis } from "ioredis";
import { UserError } from "../../errors.ts";

/** The queue that workers take jobs from. */
export const JOBS = "heteromem-jobs";

/** The queue of a sweep's parent job, which waits for all others. */
export const parentQueue = (sweep: string): string => `heteromem-sweep-${sweep}`;

/** A result as it goes through the queue: its text, or the digest of the text in a shared directory. */
export type QueueResult = string | { stored: string };

/** Times of connections and locks. */
export interface QueueTimes {
  /** Milliseconds after which a silent connection is opened again, and a silent worker's job given away. */
  silence: number;
}

/** Returns the milliseconds of `--silence`. Throws UserError. */
export function parseSilence(text: string | undefined): number {
  const seconds = Number(text ?? 30);
  if (!(seconds >= 1 && seconds <= 3600))
    throw new UserError(`--silence ${text}: expected 1 to 3600 seconds`);
  return seconds * 1000;
}

/** The URL of a queue: an option, or an environment variable that other users do not see. */
export function queueUrl(flag: string | undefined): string {
  const url = flag ?? process.env.HETEROMEM_QUEUE;
  if (url === undefined)
    throw new UserError("expected --queue URL, or the environment variable HETEROMEM_QUEUE");
  return url;
}

/** Loads BullMQ. Throws UserError if it is not installed. */
export async function loadQueue(): Promise<typeof import("bullmq")> {
  try {
    return await import("bullmq");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new UserError(
      "--queue: expected the packages bullmq and ioredis: npm install bullmq ioredis, with -g if " +
        "heteromem was installed so",
    );
  }
}

/** What messages call a queue: its address without user and password. */
function hostOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** Times between attempts to connect, in milliseconds: longer and longer, up to a bound. */
const retryAfter = (times: number): number => Math.min(100 * times, 2000);

/** How long a command may be without an answer: blocking ones take 10 s. */
const ANSWER_MIN = 12_000;

/**
 * Connects to Redis. Later the connection is opened again whenever it is lost, and commands wait for it.
 * Throws UserError if it cannot be opened now.
 */
export async function connect(url: string, { silence }: QueueTimes): Promise<Redis> {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url))
    throw new UserError("--queue: expected redis://HOST:PORT, or rediss:// for TLS");
  await loadQueue();
  const { Redis: Client } = await import("ioredis");
  const connection = new Client(url, {
    maxRetriesPerRequest: null,
    retryStrategy: retryAfter,
    connectTimeout: 10_000,
    socketTimeout: Math.max(ANSWER_MIN, silence),
  });
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void => {
      connection.disconnect();
      reject(new UserError(`--queue ${hostOf(url)}: ${error.message || "no connection"}`));
    };
    connection.once("error", refuse);
    connection.once("ready", () => {
      connection.off("error", refuse);
      resolve();
    });
  });
  connection.on("error", () => {}); // it is opened again
  return connection;
}
