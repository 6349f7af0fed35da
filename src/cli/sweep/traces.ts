/**
 * The cache of traces: each is read once, whatever its format, and lies in a directory as .hmt under the
 * SHA-256 of its bytes. Jobs name it by this digest.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { blockOf } from "../../sim/source.ts";
import { canonical, sha256 } from "../../sweep/canonical.ts";
import { writeWhole } from "../../sweep/store.ts";
import { HmtWriter, type EventOf } from "../../text/hmt-writer.ts";
import { loadText } from "../../text/index.ts";
import { parseOffload } from "../args.ts";
import type { RunConfig } from "../config.ts";
import { fileError, UserError } from "../errors.ts";
import { TraceInput } from "../input.ts";
import { openInput } from "../open-input.ts";
import { OutputFile } from "../output.ts";
import type { RunInput } from "../trace-input.ts";
import { loadCompress } from "../zstd.ts";

/** CUDA's number for no advice. */
const NO_ADVICE = 0;

/** The file of a trace in the cache. */
export const tracePath = (cache: string, digest: string): string => join(cache, `${digest}.hmt`);

/** Returns the SHA-256 of a file's bytes. Throws UserError if it cannot be read. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
  } catch (error) {
    throw fileError(path, error);
  }
  return hash.digest("hex");
}

/** What decides the records that a trace gives: its bytes, and the options that say how to read it. */
async function keyOf(config: RunConfig, version: string): Promise<string> {
  const { trace, binary, offload = [], format, base, calls, pid, skipForeign } = config;
  const values = parseOffload(offload).map((value) => ({ ...value, origin: undefined }));
  return sha256(
    canonical({
      version,
      trace: await digestOf(trace!),
      binary: binary === undefined ? null : await digestOf(binary),
      options: { values, format, base, calls, pid, skipForeign },
    }),
  );
}

/** Writes all records of an input. Throws UserError for a trace that ends early, or gives nothing. */
async function writeRecords(input: RunInput, writer: HmtWriter): Promise<void> {
  let accesses = 0;
  const { source } = input;
  writer.describe({ program: `trace ${input.format}`, modules: [], threads: new Map() });
  try {
    for await (const block of source.blocks()) {
      const { records, events, kernels = source.kernels } = blockOf(block);
      const eventOf: EventOf = (kind, id) => {
        const { name = kernels?.[id] ?? "", address = 0, bytes = 0, advice, device } = events?.[id] ?? {};
        return { kind, name, address, bytes, advice: advice ?? NO_ADVICE, device: device ?? 0 };
      };
      writer.write(records, eventOf);
      accesses += records.length / 2;
    }
  } catch (error) {
    throw new UserError(`${input.name}: ${input.explain(error)}; a sweep needs a whole trace`);
  }
  const read = { done: false, replayed: accesses, skipped: { kernel: 0, unmappable: 0 } };
  const { partial, warnings } = input.finish(read, null);
  if (partial !== null) throw new UserError(`${input.name}: ${partial}; a sweep needs a whole trace`);
  for (const { text } of warnings) process.stderr.write(`heteromem: ${input.name}: ${text}\n`);
  writer.end({ whole: true, lost: 0 });
}

/** Converts a trace to .hmt in the cache, and returns the digest of what it wrote. */
async function convertInto(cache: string, config: RunConfig): Promise<string> {
  const file = await TraceInput.open(config.trace!);
  const temporary = join(cache, `.${process.pid}.hmt`);
  const output = OutputFile.open(temporary, config.trace!);
  const hash = createHash("sha256");
  try {
    const sink = (bytes: Uint8Array): void => {
      hash.update(bytes);
      output.write(bytes);
    };
    const input = await openInput({ config, given: {}, nameOf: (field) => field }, file);
    const writer = new HmtWriter(loadText(), sink, {
      recorder: "heteromem sweep",
      compress: await loadCompress(),
    });
    await writeRecords(input, writer);
    writer.close();
    output.close();
    const digest = hash.digest("hex");
    await rename(temporary, tracePath(cache, digest));
    return digest;
  } catch (error) {
    output.discard();
    throw error;
  } finally {
    file.close();
  }
}

/**
 * Returns the digest of the config's trace in the cache, where it is put if it is missing. Throws UserError
 * for a trace that cannot be read to its end.
 */
export async function cacheTrace(cache: string, config: RunConfig, version: string): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const known = join(cache, `${await keyOf(config, version)}.json`);
  if (existsSync(known)) {
    const { digest } = JSON.parse(readFileSync(known, "utf8")) as { digest: string };
    if (existsSync(tracePath(cache, digest))) return digest;
  }
  const digest = await convertInto(cache, config);
  await writeWhole(known, cache, `${JSON.stringify({ digest })}\n`);
  return digest;
}
