/**
 * The kernel's benchmark_thp_migration: what it moves, with and without huge pages, device-private and
 * device-coherent. As in the kernel's test, word i holds i.
 */
import * as assert from "uvu/assert";
import { MADV_NOHUGEPAGE } from "../../src/index.ts";
import { result, same, Scenarios, words } from "../util/dmirror-fixture.ts";
import { advised, AT, isHuge, MIB, P, PAGES, PMD } from "../util/huge.ts";

const KINDS = ["thp", "pages"] as const;
const ROUNDS = 1 + 5;
/** The sizes stop at 8 MiB: the kernel's largest, 256 MiB, only adds speed, which bench/ measures. */
const SIZES = [MIB / 2, MIB, 2 * MIB, 4 * MIB, 8 * MIB];
const benchmark = new Scenarios({ systemMemory: 20 * MIB, deviceMemory: 20 * MIB, perDevice: 10 * MIB });
for (const size of SIZES) {
  for (const kind of KINDS) {
    benchmark.add(`benchmark_thp_migration, ${kind}, ${size >> 10}K`, (fixture) => {
      const { mm, mirrors, coherent } = fixture;
      const [mirror] = mirrors;
      const npages = size / P;
      advised(mm, size);
      if (kind === "pages") mm.madvise(AT, size, MADV_NOHUGEPAGE);
      const data = words(npages);
      mm.write(AT, data);
      const whole = kind === "thp" && size >= PMD && !coherent;
      for (let round = 0; round < ROUNDS; round++) {
        const answer = mirror.migrateToDevice(AT, npages);
        assert.equal([...result(answer), isHuge(mm, AT)], [0, npages, 0, whole]);
        same(answer.data, data);
        const back = mirror.migrateToSystem(AT, npages);
        assert.equal([...result(back), isHuge(mm, AT)], [0, whole ? npages / PAGES : npages, 0, whole]);
      }
      same(mm.read(AT, size), data);
    });
  }
}
benchmark.run("hmm-tests: benchmark_thp_migration, what it moves", [false, true]);
