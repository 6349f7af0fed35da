/** `node mistakes.mjs NAME`: a program with a mistake, mostly in a driver's callback. It ends uncaught. */
import {
  Hmm,
  HmmMirror,
  hmmDevmemAdd,
  hmmMirrorRegister,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
} from "heteromem";

/** What a mistake is: undefined has no properties. */
const mistake = (value) => value.property;

const hmm = await Hmm.create({ systemMemory: 1 << 22, deviceMemory: 1 << 22 });
const mm = hmm.createMm();
const addr = mm.mmap({ length: PAGE_SIZE });
mm.write(addr, Uint8Array.of(1));

const programs = {
  update() {
    hmmMirrorRegister(new HmmMirror({ update: () => mistake() }), mm);
    mm.munmap(addr, PAGE_SIZE);
  },
  release() {
    hmmMirrorRegister(new HmmMirror({ update: () => undefined, release: () => mistake() }), mm);
    mm.close();
  },
  invalidate() {
    new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => mistake() });
    mm.munmap(addr, PAGE_SIZE);
  },
  fault() {
    const devmem = hmmDevmemAdd(hmm, { fault: () => mistake() }, "owner", 2 << 20);
    const sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + PAGE_SIZE });
    devmem.allocPages(m.src, m.dst);
    m.pages();
    m.finalize();
    sem.close();
    mm.read(addr, 1);
  },
  argument() {
    mm.munmap(addr + 1, PAGE_SIZE);
  },
  async rejection() {
    await mm.munmapAsync(addr + 1, PAGE_SIZE);
  },
};

await programs[process.argv[2]]();
