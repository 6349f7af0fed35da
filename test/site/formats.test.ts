/**
 * Traces of every format, dropped on the simulator: each is run, or refused with the advice that the command
 * gives. The samples have a few lines; their accesses are counted by eye.
 */
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { inBrowser } from "../util/browser.ts";
import { zstdFrame } from "../util/hmt-bytes.ts";
import { mixedFile } from "../util/hmt-mixed.ts";
import { Site, type Visit } from "./site.ts";

const tests = suite("site: dropped traces in Chromium");
const test = inBrowser(tests);
let site: Site;
let visit: Visit;
tests.before(async () => {
  site = await Site.open();
  visit = await site.visit("simulator/");
});
tests.after(async () => {
  await site?.close();
});

const SAMPLES = new URL("../text/samples/", import.meta.url);
const sample = (name: string): Buffer => readFileSync(new URL(name, SAMPLES));

/** What a run reads: format, loads and stores of the CPU, of the device. Or what the page says instead. */
type Outcome = readonly unknown[] | string;

/** Drops a file on the page, and runs it. */
async function drop(name: string, bytes: Uint8Array): Promise<Outcome> {
  const { page } = visit;
  const transfer = await page.evaluateHandle(
    ([fileName, base64]) => {
      const data = new DataTransfer();
      const content = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      data.items.add(new File([content], fileName));
      return data;
    },
    [name, Buffer.from(bytes).toString("base64")] as const,
  );
  await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.locator("#run").click();
  await page.waitForSelector(".status.done, .status.failed");
  if ((await page.locator(".status.failed").count()) > 0) return page.locator(".status").innerText();
  const download = page.waitForEvent("download");
  await page.locator("#save-json").click();
  const report = JSON.parse(readFileSync(await (await download).path(), "utf8")) as RunReport;
  const { cpu, device } = report.accesses;
  assert.is(report.trace.file, name);
  assert.is(report.partial, false);
  return [report.trace.format, cpu.loads, cpu.stores, device.loads, device.stores];
}

/** One load and one store of the CPU. */
const ONE_EACH = [1, 1, 0, 0] as const;
const READ: Readonly<Record<string, readonly unknown[]>> = {
  "cachegrind-ewha.log": ["addr-rw", ...ONE_EACH],
  "dinero.din": ["dinero", ...ONE_EACH],
  "dramsys.stl": ["addr-rw", ...ONE_EACH],
  "drmemtrace-view.txt": ["drmemtrace", 0, 1, 0, 0],
  "l-s.trace": ["addr-rw", ...ONE_EACH],
  "nvbit.txt": ["nvbit", 0, 0, 2, 0],
  "perf-script.txt": ["perf-script", 1, 0, 0, 0],
  "pin-cachetracer.trace": ["addr-rw", ...ONE_EACH],
  "pinatrace.out": ["pinatrace", ...ONE_EACH],
  "ramulator-addr-rw.txt": ["addr-rw", ...ONE_EACH],
  "ramulator2-ld-st.trace": ["addr-rw", ...ONE_EACH],
  "stratum.txt": ["addr-rw", ...ONE_EACH],
  "ufmg-addr-rw.log": ["addr-rw", ...ONE_EACH],
};
/** What is refused, and what the page says of it. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "README.md": /the format of this trace is not recognized/,
  "accelsim.traceg": /an Accel-Sim trace .* record the program with NVBit/,
  "addr-only.txt": /a list of addresses without kinds/,
  "champsim.bin": /binary, maybe a ChampSim trace/,
  "gem5-exec.txt": /a gem5 Exec trace; read it by: sed/,
  "gem5-mem.txt": /a gem5 memory trace; its addresses are physical/,
  "gem5-pktdump.txt": /a gem5 packet trace/,
  "hmm-eval-fault.log": /a log of the kernel's HMM or UVM faults/,
  "nsys.json": /this is JSON/,
  "pagefaultsnoop.txt": /the output of pagefaultsnoop/,
  "ramulator2-rw-decimal.trace": /read it by --format addr-rw:decimal/,
  "trace-valgrind-tool.txt": /a valgrind tool other than lackey/,
  "uvm-fault.csv": /a log of the NVIDIA driver's UVM faults/,
};

test("every sample of test/text is read, or refused with advice", async () => {
  for (const name of readdirSync(SAMPLES)) {
    const outcome = await drop(name, sample(name));
    if (name in READ) assert.equal(outcome, READ[name], name);
    else assert.match(outcome as string, REFUSED[name], `${name}: ${String(outcome)}`);
  }
  assert.equal(visit.problems, []);
});
test("gzip and zstd are unpacked, and .hmt is read", async () => {
  const plain = sample("pinatrace.out");
  assert.equal(await drop("pinatrace.out.gz", gzipSync(plain)), READ["pinatrace.out"]);
  assert.equal(await drop("pinatrace.out.zst", zstdFrame(plain)), READ["pinatrace.out"]);
  // A load and a store of the CPU, and a load of the device.
  const of = (kind: number, agent: number) => ({ address: 1 << 20, size: 8, kind, agent, thread: 0, id: 0 });
  assert.equal(await drop("program.hmt", mixedFile([of(0, 0), of(1, 0), of(0, 1)])), ["hmt", 1, 1, 1, 0]);
  assert.equal(visit.problems, []);
});
tests.run();
