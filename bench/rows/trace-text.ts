/**
 * P15: traces as text. The first comparisons decode a plain file, without replaying it; the rivals count the
 * file's lines, as `wc -l` does, and decode it in C (native/trace-text.c). The last one is `heteromem run`
 * from the compressed file to the report. Its stages (inflate, decode, replay) overlap, and the rival is the
 * slowest stage alone. The trace is the recorded stencil of examples/programs, repeated.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { TraceInput } from "../../src/cli/input.ts";
import { Progress } from "../../src/cli/progress.ts";
import { replay } from "../../src/cli/run.ts";
import { Hmm } from "../../src/index.ts";
import { deviceMemoryFor } from "../../src/sim/device-driver.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import type { SimulationReport } from "../../src/sim/report.ts";
import { loadText } from "../../src/text/index.ts";
import type { TextModule } from "../../src/text/index.ts";
import { LackeyDecoder } from "../../src/text/lackey.ts";
import type { OffloadRange } from "../../src/text/lackey.ts";
import { parseOffload } from "../../src/cli/args.ts";
import { MIB } from "../engine.ts";
import { HASH_SEED, hashWord, hashWords, median } from "../harness.ts";
import type { Context, Result, Row, Side } from "../harness.ts";
import { fasterTwin, withFolder } from "../native.ts";
import { noteStages } from "../replay-stages.ts";

const PROGRAMS = fileURLToPath(new URL("../../examples/programs", import.meta.url));
const TRACE = `${PROGRAMS}/jacobi.lackey.gz`;
const OFFLOAD = `@${PROGRAMS}/jacobi.offload`;

/** Device memory holds half of the program's working set. */
const CONFIG = { backing: "data", systemMemory: 64 * MIB, deviceMemory: MIB / 4 } as const;
const CHUNK = 1 << 18;

const since = (start: number): number => (performance.now() - start) * 1e6;

/** Reads the plain file chunk by chunk into the decoder's memory. Returns the number of lines. */
function decodeInto(text: TextModule, path: string, use: (records: BigUint64Array) => void): number {
  const decoder = new LackeyDecoder(text);
  const file = openSync(path, "r");
  for (;;) {
    const n = readSync(file, decoder.input, 0, CHUNK, null);
    if (n === 0) break;
    decoder.decode(n, use);
  }
  closeSync(file);
  return decoder.end().lines;
}

/** The hash is the number of lines. */
function countLines(text: TextModule, path: string): Side {
  return {
    run() {
      const start = performance.now();
      const lines = decodeInto(text, path, () => undefined);
      return { ns: since(start), hash: lines };
    },
  };
}

/** A second pass, which is not measured, hashes every record, as native/trace-text.c does. */
function decodeFile(text: TextModule, path: string): Side {
  return {
    run() {
      const start = performance.now();
      decodeInto(text, path, () => undefined);
      const ns = since(start);
      let hash = HASH_SEED;
      const lines = decodeInto(text, path, ({ buffer, byteOffset, length }) => {
        hash = hashWords(hash, new Uint32Array(buffer, byteOffset, 2 * length));
      });
      return { ns, hash: hashWord(hash, lines) };
    },
  };
}

/** The range that the device runs. */
function ranges(): OffloadRange[] {
  return parseOffload([OFFLOAD]).filter((value) => "start" in value);
}

/** Hashes what a replay of all records counted. */
function hashReport({ accesses, faultsByKind, device, evictions, rss }: SimulationReport): number {
  const text = JSON.stringify([accesses, faultsByKind, device, evictions, rss]);
  return hashWords(HASH_SEED, Uint32Array.from(Buffer.from(text)));
}

/** `heteromem run` without printing. The hash is that of the report. */
function endToEnd(path: string): Side {
  const configured = {
    config: { ...CONFIG, offload: [OFFLOAD] },
    given: {},
    nameOf: (field: string) => field,
  };
  const signal = { aborted: false, reason: new Error() };
  return {
    async run() {
      const start = performance.now();
      const input = await TraceInput.open(path);
      const watch = { progress: new Progress(input, true), signal, version: "", pictures: null };
      const { report } = await replay(configured, input, watch);
      return { ns: since(start), hash: hashReport(report) };
    },
  };
}

function inflateAlone(path: string): Side {
  return {
    async run() {
      const start = performance.now();
      const input = await TraceInput.open(path);
      let bytes = 0;
      for await (const chunk of input.chunks(() => 0)) bytes += chunk.length;
      return { ns: since(start), hash: bytes };
    },
  };
}

/** Decodes from memory, with the rule that tells device code from CPU code. */
function decodeAlone(text: TextModule, bytes: Uint8Array): Side {
  const offload = ranges();
  return {
    run() {
      const start = performance.now();
      const decoder = new LackeyDecoder(text, { offload });
      for (let at = 0; at < bytes.length; at += CHUNK)
        decoder.feed(bytes.subarray(at, at + CHUNK), () => undefined);
      const { lines } = decoder.end();
      return { ns: since(start), hash: lines };
    },
  };
}

function replayAlone(records: BigUint64Array): Side {
  return {
    async run() {
      const start = performance.now();
      const simulation = await Simulation.create(CONFIG);
      simulation.feed(records);
      const report = simulation.report();
      const ns = since(start);
      simulation.close();
      return { ns, hash: hashReport(report) };
    },
  };
}

/** Prints how long each stage takes alone. */
async function noteAlone(stages: Record<string, Side>, units: number, context: Context): Promise<void> {
  const texts: string[] = [];
  for (const [name, side] of Object.entries(stages)) {
    const samples: number[] = [];
    for (let i = 0; i < (context.smoke ? 1 : 5); i++) samples.push((await side.run()).ns);
    texts.push(`${name} ${(median(samples) / units / 1e6).toFixed(2)}`);
  }
  context.note(`stages alone, ms a MiB of text: ${texts.join(" · ")}`);
}

async function measureDecoding(plain: Uint8Array, copies: number, context: Context): Promise<Result[]> {
  const text = loadText();
  const all = Buffer.concat(Array.from({ length: copies }, () => plain));
  const units = all.length / MIB;
  return withFolder(async (file) => {
    const path = file("trace", all);
    const lines = fasterTwin("wc -l", "trace-text", ["lines", path], 3);
    const records = fasterTwin("C-decoder", "trace-text", ["records", path], 1);
    return [
      ...(await context.compare({ ours: countLines(text, path), units, rivals: [lines] })),
      ...(await context.compare({ ours: decodeFile(text, path), units, rivals: [records] })),
    ];
  });
}

async function measureWhole(
  compressed: Uint8Array,
  plain: Uint8Array,
  copies: number,
  context: Context,
): Promise<Result[]> {
  const text = loadText();
  const decoder = new LackeyDecoder(text, { offload: ranges() });
  const one = decoder.push(plain);
  decoder.close();
  const records = new BigUint64Array(one.length * copies);
  for (let i = 0; i < copies; i++) records.set(one, i * one.length);
  const units = (plain.length * copies) / MIB;
  const whole = Buffer.concat(Array.from({ length: copies }, () => plain));
  const results = await withFolder(async (file) => {
    const path = file("trace.gz", Buffer.concat(Array.from({ length: copies }, () => compressed)));
    const stages = {
      inflate: inflateAlone(path),
      decode: decodeAlone(text, whole),
      replay: replayAlone(records),
    };
    await noteAlone(stages, units, context);
    const ours = endToEnd(path);
    if ((await ours.run()).hash !== (await stages.replay.run()).hash)
      throw new Error("the replay alone counts something else");
    const rival = { name: "slowest-stage", target: 1.2, sides: Object.values(stages), slowest: true };
    return context.compare({ ours, units, rivals: [{ ...rival, sameHash: false }] });
  });
  await noteReplay(records, context);
  return results;
}

async function noteReplay(records: BigUint64Array, context: Context): Promise<void> {
  const hmm = await Hmm.create({
    systemMemory: CONFIG.systemMemory,
    deviceMemory: deviceMemoryFor(CONFIG.deviceMemory),
  });
  noteStages("the replay", hmm, CONFIG, records, context);
  hmm.verify();
  hmm.close();
}

const row: Row = {
  title: "decoding of lackey text; and from the compressed file to the report",
  unit: "MiB of text",
  threads: true,
  async run(context) {
    const compressed = readFileSync(TRACE);
    const plain = gunzipSync(compressed);
    return [
      ...(await measureDecoding(plain, context.smoke ? 1 : 8, context)),
      ...(await measureWhole(compressed, plain, context.smoke ? 1 : 16, context)),
    ];
  },
};
export default row;
