/**
 * S5: decoding of .hmt traces from memory, zstd included: a stencil, whose accesses are all predicted, and
 * random updates of a table, of which each takes a literal. The first rival is the rate that is asked for,
 * 100 and 50 million accesses a second, as the time of one access; the second is the replay that the decoder
 * feeds. The notes say how many bytes an access takes in the files that `heteromem convert` writes.
 */
import { loadCompress } from "../../src/cli/zstd.ts";
import { openWorkload } from "../../src/sim/workload/index.ts";
import { HmtWriter } from "../../src/text/hmt-writer.ts";
import { HmtDecoder } from "../../src/text/hmt.ts";
import { loadText } from "../../src/text/index.ts";
import type { Context, Result, Row, Side } from "../harness.ts";
import { recordsOf } from "../../src/microbench/replay.ts";
import { figure, replaying } from "../replaying.ts";

const CHUNK = 1 << 20;

/** A workload as an .hmt file, and how many accesses it has. */
async function makeFile(spec: string): Promise<{ bytes: Uint8Array; accesses: number }> {
  const parts: Uint8Array[] = [];
  const workload = openWorkload(spec);
  const options = { recorder: "bench", compress: await loadCompress() };
  const writer = new HmtWriter(loadText(), (bytes) => void parts.push(bytes.slice()), options);
  let records = 0;
  for (const block of workload.blocks()) {
    records += block.length / 2;
    writer.write(block, (kind, id) => ({
      kind,
      advice: 0,
      device: 0,
      name: workload.kernels[id],
      address: 0,
      bytes: 0,
    }));
  }
  writer.end({ whole: true, lost: 0 });
  return { bytes: Buffer.concat(parts), accesses: records - 2 * workload.kernels.length };
}

/** Decodes the whole file. The hash is the number of its accesses. */
async function decoding(bytes: Uint8Array): Promise<Side> {
  const text = loadText();
  const warm = await HmtDecoder.create(text); // loads the decompressor
  warm.close();
  return {
    async run() {
      const start = performance.now();
      const decoder = await HmtDecoder.create(text);
      for (let at = 0; at < bytes.length; at += CHUNK)
        decoder.feed(bytes.subarray(at, at + CHUNK), () => undefined);
      const { accesses } = decoder.end();
      return { ns: (performance.now() - start) * 1e6, hash: accesses };
    },
  };
}

/** What is decoded, and how many million accesses a second are asked for. */
const DECODED = [
  { name: "regular", spec: "stencil2d:size=64MiB,grain=8,iterations=2", least: 100 },
  { name: "irregular", spec: "gups:size=64MiB,updates=8M,seed=1", least: 50 },
];
const SMOKE = ["stencil2d:size=256KiB", "gups:size=1MiB,updates=10000"];

/** The programs whose files' sizes are noted. */
const SIZES = [
  "stencil2d:size=64MiB,grain=8",
  "stream:size=64MiB,grain=8",
  "hashjoin:size=256MiB",
  "gups:size=64MiB,seed=1",
];

async function measure(index: number, context: Context): Promise<Result[]> {
  const { name, spec: whole, least } = DECODED[index];
  const spec = context.smoke ? SMOKE[index] : whole;
  const { bytes, accesses } = await makeFile(spec);
  context.note(`${name}: ${spec}, ${accesses} accesses, ${bytes.length} bytes`);
  return context.compare({
    ours: await decoding(bytes),
    units: accesses,
    rivals: [
      { name: `${name}, ${least} M/s`, target: 1, sides: [figure((accesses * 1e3) / least, accesses)] },
      { name: `${name}, the replay`, target: 1, sides: [replaying(recordsOf(spec))] },
    ],
  });
}

const row: Row = {
  title: "decoding of .hmt traces, zstd included",
  unit: "access",
  async run(context) {
    const results = [...(await measure(0, context)), ...(await measure(1, context))];
    for (const spec of context.smoke ? SMOKE : SIZES) {
      const { bytes, accesses } = await makeFile(spec);
      context.note(`${spec}: ${(bytes.length / accesses).toFixed(3)} bytes an access`);
    }
    return results;
  },
};
export default row;
