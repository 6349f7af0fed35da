/**
 * P11: the time to boot an engine, and the bytes of metadata that a frame takes. The "rivals" are units (1
 * ms, 1 byte), so ratio and target are figures in these units.
 */
import { contextOf } from "../../src/engine/context.ts";
import { wasmBytes } from "../../src/engine/wasm-bytes.ts";
import { Hmm } from "../../src/index.ts";
import { GIB, MIB, PAGE, createEngine } from "../engine.ts";
import { median } from "../harness.ts";
import type { Context, Result, Rival, Row, Side } from "../harness.ts";
import { size, unit } from "../units.ts";

/** Hmm.create() with a compiled module. From the second engine of a process on, the module is compiled. */
const boot: Side = {
  async run() {
    const clock = performance.now();
    const hmm = await Hmm.create({ systemMemory: 256 * MIB, deviceMemory: 256 * MIB });
    const ns = (performance.now() - clock) * 1e6;
    hmm.close();
    return { ns, hash: 0 };
  },
};

/**
 * Prints how long V8 compiles the module, which happens once in a process. V8 caches modules by their bytes,
 * so each repetition appends a different custom section.
 */
async function noteCompilation(context: Context): Promise<void> {
  const { default: binary } = await import("#hmm.wasm");
  const bytes = wasmBytes(binary);
  const samples: number[] = [];
  for (let i = 0; i < (context.smoke ? 1 : 9); i++) {
    const unknown = Uint8Array.of(...bytes, 0, 3, 1, "x".charCodeAt(0), i);
    const clock = performance.now();
    await WebAssembly.compile(unknown);
    samples.push(performance.now() - clock);
  }
  context.note(`compiling the core, once a process: ${median(samples).toFixed(1)} ms`);
}

/** Linear memory grows in steps of 64 KiB. These sizes are so far apart that the rounding does not show. */
const SMALL = GIB;
const LARGE = 32 * GIB;
/**
 * Fixes every size that would grow with the frames, so that two engines differ by the frames' metadata alone.
 */
const FIXED = { capacities: { pageTables: 1024 }, arena: MIB, backing: "metadata" } as const;

/** Returns the bytes of linear memory a frame takes, without its contents and without page tables. */
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
  title: "boot with 256 MiB + 256 MiB; metadata a frame",
  unit: "boot · bytes a frame",
  async run(context) {
    const measure = (ours: Side, rival: Rival): Promise<Result[]> =>
      context.compare({ ours, units: 1, rivals: [rival] });
    const ram = await frameBytes("systemMemory");
    const device = await frameBytes("deviceMemory");
    const results = [
      ...(await measure(boot, unit("boot-in-ms", 1e6, 12))),
      ...(await measure(size(ram), unit("RAM-frame-in-bytes", 1, 16.5))),
      ...(await measure(size(device), unit("device-frame-in-bytes", 1, 16.5))),
    ];
    await noteCompilation(context);
    context.note(
      "a frame: 16 bytes of folio, its share of a block of 512; simulations add 8 bytes a device frame",
    );
    return results;
  },
};
export default row;
