/** Every resource that can run out, used up. */
import { Dmirror } from "../../src/dmirror.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  hmmRangeFault,
  MADV_DONTNEED,
  Memcg,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type Hmm,
} from "../../src/index.ts";
import { few, GIB, place, setup, written, type Capacity } from "./capacity.ts";
import { tables } from "./capacity-tables.ts";

const objects: Capacity[] = [
  {
    name: "notifiers",
    config: few({ notifiers: 4 }),
    use: (hmm) => {
      const { mm, addr } = written(hmm, 1);
      return () => void new MmuIntervalNotifier(mm, addr, 1, { invalidate: () => undefined });
    },
    says: /^notifiers \(capacity 4\)/,
  },
  {
    name: "notifiers, by mirrors",
    config: few({ notifiers: 4 }),
    use: (hmm) => {
      const { mm } = written(hmm, 1);
      return () => void hmmMirrorRegister(new HmmMirror({ update: () => undefined }), mm);
    },
    says: /^notifiers \(capacity 4\)/,
  },
  {
    name: "device tables, by mirrors of the reference driver",
    config: few({ deviceTables: 2 }),
    use: (hmm, held) => {
      const { mm } = written(hmm, 1);
      return () => void held.push(new Dmirror(mm, { deviceMemory: 2 << 20 }));
    },
    says: /^device tables \(capacity 2\)/,
  },
  {
    name: "memory cgroups",
    config: few({ memcgs: 4 }),
    use: (hmm) => () => void hmm.createMm({ memcg: new Memcg() }),
    says: /^memory cgroups \(capacity 4\)/,
  },
  {
    name: "open migrations",
    config: few({ migrations: 4 }),
    use: (hmm) => {
      const { mm, addr } = written(hmm, 16);
      return (i) => void setup(mm, addr + i * PAGE_SIZE, addr + (i + 1) * PAGE_SIZE);
    },
    says: /^open migrations \(capacity 4\)/,
  },
  {
    name: "device tables",
    config: few({ deviceTables: 4 }),
    use: (hmm) => () => void new DeviceTable(hmm),
    says: /^device tables \(capacity 4\)/,
  },
  {
    name: "devmems",
    config: { deviceMemory: 64 << 20, backing: "metadata" },
    use: (hmm) => () => void hmmDevmemAdd(hmm, { fault: () => undefined }, {}, PAGE_SIZE),
    says: /^devmems/,
  },
  {
    name: "operations in each other's callbacks",
    config: {},
    use: nested,
    says: /^nested operations/,
  },
];

/** Address spaces whose notifiers each change the next address space. */
function nested(hmm: Hmm): () => void {
  let depth = 0;
  const spaces = Array.from({ length: 20 }, () => {
    const mm = hmm.createMm();
    return { mm, addr: place(mm, GIB) };
  });
  let failed: unknown;
  spaces.forEach(({ mm, addr }, i) => {
    const invalidate = (): void => {
      const next = spaces[i + 1];
      try {
        if (depth++ < 19) next.mm.madvise(next.addr, PAGE_SIZE, MADV_DONTNEED);
      } catch (error) {
        failed ??= error;
      }
    };
    new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate });
  });
  return () => {
    spaces[0].mm.madvise(spaces[0].addr, PAGE_SIZE, MADV_DONTNEED);
    throw failed;
  };
}

const memory: Capacity[] = [
  {
    name: "system memory, by writes",
    config: { systemMemory: 16 * PAGE_SIZE },
    use: (hmm) => {
      const { mm, addr } = written(hmm, 1);
      mm.mremap(addr, PAGE_SIZE, 64 * PAGE_SIZE);
      return (i) => mm.store32(addr + i * PAGE_SIZE, 1);
    },
    says: /^system memory, at 0x/,
  },
  {
    name: "system memory, by copies on write",
    config: { systemMemory: 24 * PAGE_SIZE },
    use: (hmm) => {
      const { mm, addr } = written(hmm, 16);
      mm.fork();
      return (i) => mm.write(addr + i * PAGE_SIZE, new Uint8Array(1));
    },
    says: /^system memory, at 0x/,
  },
  {
    name: "system memory, by pins",
    config: { systemMemory: 16 * PAGE_SIZE },
    use: (hmm, held) => {
      const { mm, addr } = written(hmm, 1);
      mm.mremap(addr, PAGE_SIZE, 64 * PAGE_SIZE);
      return (i) => void held.push(mm.pin(addr + i * PAGE_SIZE, 1, { write: true }));
    },
    says: /^system memory, at 0x/,
  },
  {
    name: "a memory cgroup's limit",
    config: {},
    use: (hmm) => {
      const mm = hmm.createMm({ memcg: new Memcg({ limit: 5 }) });
      const addr = place(mm, GIB, 16);
      mm.read(addr, 16 * PAGE_SIZE);
      return (i) => mm.store32(addr + i * PAGE_SIZE, 1);
    },
    says: /^memory cgroup limit, at 0x/,
  },
  {
    name: "device memory",
    config: {},
    use: (hmm) => () => void hmmDevmemAdd(hmm, { fault: () => undefined }, {}, 2 << 20),
    says: /^device memory/,
  },
  {
    name: "address space",
    config: {},
    use: (hmm) => {
      const { mm } = written(hmm, 1);
      return () => void mm.mmap({ length: 2 ** 45 });
    },
    says: /^address space/,
  },
  {
    name: "the arena, by arrays",
    config: { arena: 1 << 16 },
    use: (hmm) => () => void hmm.pfnArray(1000),
    says: /^arena/,
  },
  {
    name: "the arena, by migrations",
    config: { arena: 1 << 16 },
    use: (hmm) => {
      const { mm, addr } = written(hmm, 1);
      mm.mremap(addr, PAGE_SIZE, 2 ** 15 * PAGE_SIZE);
      return (i) => void setup(mm, addr, addr + 2 ** i * PAGE_SIZE);
    },
    says: /^arena/,
  },
  {
    name: "the arena, by arrays that are copied",
    config: { arena: 1 << 16 },
    use: (hmm) => {
      const { mm, addr } = written(hmm, 1);
      return (i) => {
        using _sem = mm.mmapSem.read();
        hmmRangeFault({ mm, start: addr, end: addr + 2 ** i * PAGE_SIZE, pfns: new Uint32Array(2 ** i) });
      };
    },
    says: /^arena/,
  },
  {
    name: "the arena, by pins",
    config: { arena: 1 << 16 },
    use: (hmm, held) => {
      const { mm, addr } = written(hmm, 16);
      return (i) => void held.push(mm.pin(addr, 2 ** i));
    },
    says: /^arena/,
  },
];

export const capacities: Capacity[] = [...tables, ...objects, ...memory];
