/** Traces compressed with zstd have the same records. */
import { readFileSync } from "node:fs";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { accesses } from "../util/hmt.ts";
import { buildProgram, checkTotals, has, record, skipping, withCompilers } from "./recorder.ts";

withCompilers("zstd", (test, compiler) => {
  const zstd: Test = has(compiler, "-include", "zstd.h", "-E", "-x", "c", "/dev/null")
    ? test
    : skipping(test);
  zstd("with zstd: the same records in fewer bytes", () => {
    const source = `
      static volatile long data[1 << 16];
      int main(void)
      {
        unsigned long x = 1;
        for (int i = 0; i < 100000; i++)
          data[(x = x * 6364136223846793005 + 1442695040888963407) >> 48 & 0xffff] = i;
        return 0;
      }`;
    const [plain, packed] = [[], ["-DHETEROMEM_ZSTD"]].map((recorder) =>
      record(
        buildProgram(compiler, source, {
          recorder,
          link: ["-no-pie", ...recorder.map(() => "-lzstd")],
          flags: ["-fno-pie"],
        }),
      ),
    );
    checkTotals(packed.trace);
    assert.ok(packed.trace.blocks.some(({ codec }) => codec === 1));
    const [a, b] = [plain, packed].map(({ trace }) => {
      const all = accesses(trace).filter(({ kind }) => kind === 1);
      return all.map(({ address }) => address - all[0].address);
    });
    assert.is(a.length, 100_000);
    assert.equal(b, a);
    assert.ok(readFileSync(packed.path).length < readFileSync(plain.path).length);
  });
});
