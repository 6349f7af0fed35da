/**
 * P11: what the engine itself costs: the time to boot it, the bytes that a browser loads, and the bytes that a frame
 * takes. The rivals are units (1 ms, 1 KiB, 1 byte), so that ratio and target are figures in these.
 */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { contextOf } from "../src/engine/context.ts";
import { Hmm } from "../src/index.ts";
import { GIB, MIB, PAGE, createEngine } from "./engine.ts";
import { median } from "./harness.ts";
import type { Context, Result, Rival, Row, Side } from "./harness.ts";

/** A side whose answer is a figure and not a time. */
const figure = (value: number): Side => ({ run: () => ({ ns: value, hash: 0 }) });

const unit = (name: string, value: number, target: number): Rival => ({
  name,
  target,
  sides: [figure(value)],
});

/** Hmm.create with the module compiled: it is, from the second engine on. */
const boot: Side = {
  async run() {
    const clock = performance.now();
    const hmm = await Hmm.create({ systemMemory: 256 * MIB, deviceMemory: 256 * MIB });
    const ns = (performance.now() - clock) * 1e6;
    hmm.close();
    return { ns, hash: 0 };
  },
};

/** What compiling the module takes, once in a process. V8 knows a module that it has compiled: a section of no use differs. */
async function noteCompilation(context: Context): Promise<void> {
  const { default: binary } = await import("#hmm.wasm");
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  const samples: number[] = [];
  for (let i = 0; i < (context.smoke ? 1 : 9); i++) {
    const unknown = Uint8Array.of(...bytes, 0, 3, 1, "x".charCodeAt(0), i);
    const clock = performance.now();
    await WebAssembly.compile(unknown);
    samples.push(performance.now() - clock);
  }
  context.note(`compiling the core, once a process: ${median(samples).toFixed(1)} ms`);
}

/** `import "heteromem"` for a browser, minified and compressed: the core is in it. */
async function entryBytes(): Promise<number> {
  const result = await build({
    entryPoints: ["src/index.ts"],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "node20",
  });
  return gzipSync(result.outputFiles[0].contents, { level: 9 }).length;
}

/** Linear memory comes in 64 KiB: far enough apart that this does not show. */
const SMALL = GIB;
const LARGE = 32 * GIB;
/** Everything that does not grow with the frames is given, so that the difference of two engines is the frames'. */
const FIXED = { capacities: { pageTables: 1024 }, arena: MIB, backing: "metadata" } as const;

/** Bytes of linear memory a frame, without the frame and without page tables. */
async function frameBytes(kind: "systemMemory" | "deviceMemory"): Promise<number> {
  const sizeOf = async (bytes: number): Promise<number> => {
    const hmm = await createEngine({ systemMemory: MIB, ...FIXED, [kind]: bytes });
    const { byteLength } = contextOf("P11", hmm).mem.buffer;
    hmm.close();
    return byteLength;
  };
  return ((await sizeOf(LARGE)) - (await sizeOf(SMALL))) / ((LARGE - SMALL) / PAGE);
}

const row: Row = {
  title: "boot with 256 MiB + 256 MiB; gzip size of the entry; metadata a frame",
  unit: "boot · bytes · bytes a frame",
  async run(context) {
    const measure = (ours: Side, rival: Rival): Promise<Result[]> =>
      context.compare({ ours, units: 1, rivals: [rival] });
    const bytes = await entryBytes();
    const ram = await frameBytes("systemMemory");
    const device = await frameBytes("deviceMemory");
    const results = [
      ...(await measure(boot, unit("boot-in-ms", 1e6, 12))),
      ...(await measure(figure(bytes), unit("entry-in-KiB", 1024, 40))),
      ...(await measure(figure(ram), unit("RAM-frame-in-bytes", 1, 16))),
      ...(await measure(figure(device), unit("device-frame-in-bytes", 1, 16))),
    ];
    await noteCompilation(context);
    context.note(
      "a frame: 16 bytes of folio, its share of a block of 512 (bitmap and links); a simulation adds 8 of LRU links a device frame",
    );
    return results;
  },
};
export default row;
