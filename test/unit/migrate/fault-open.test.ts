/** A fault callback that begins a migration and does not end it. */
import * as assert from "uvu/assert";
import {
  Hmm,
  type HmmError,
  hmmDevmemAdd,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  migrateVmaSetup,
  PAGE_SIZE,
  type HmmDevmem,
  type Migration,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf } from "../../util/driver.ts";

const P = PAGE_SIZE;
const AT = 0x40000000;

onEachBuild("fault-open", (test, module) => {
  test("a migration that a fault callback leaves open keeps the page locked until it ends", () => {
    const hmm = Hmm.createSync(module, { systemMemory: 1 << 20, deviceMemory: 4 << 20 });
    const mm = hmm.createMm();
    mm.mmap({ addr: AT, length: P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    mm.write(AT, Uint8Array.of(7));
    let open: Migration | undefined;
    const fault = (device: HmmDevmem): number => {
      open = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + P, owner: device });
      return 2;
    };
    const devmem = hmmDevmemAdd(hmm, { fault }, "device", 2 << 20);
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end: AT + P, owner: devmem });
      devmem.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), 1);
    }
    assert.is((errorOf(() => mm.read(AT, 1)) as HmmError).code, "EFAULT");
    hmm.verify();
    assert.is((errorOf(() => mm.read(AT, 1)) as HmmError).code, "EAGAIN");
    open!.finalize();
    hmm.verify();
    assert.is((errorOf(() => mm.read(AT, 1)) as HmmError).code, "EFAULT");
    open!.finalize();
    mm.close();
    assert.is(devmem.usedPages, 0);
    hmm.verify();
  });
}).run();
