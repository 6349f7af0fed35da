/**
 * A strict consumer of the package, which tools/check-consumers.mjs compiles against the packed tarball under
 * several versions and configurations of TypeScript. It never runs.
 */
import {
  explain,
  Hmm,
  HmmDevmem,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  hmmRangeFault,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  migrateVmaSetup,
  MmuIntervalNotifier,
  MMU_NOTIFY_MIGRATE,
  PAGE_SIZE,
  Vma,
  VM_FAULT_OOM,
  type FaultKind,
  type HmmConfig,
  type Mm,
  type MmuNotifierRange,
  type Page,
} from "heteromem";
import { Dmirror, DmirrorDevice, type DmirrorResult } from "heteromem/dmirror";
import { DelayedDevice, explore, type Agent } from "heteromem/testing";
import {
  ConfigError,
  decodeHmt,
  decodeLackey,
  openWorkload,
  simulate,
  Simulation,
  writeRecord,
  type Block,
  type KernelReport,
  type RecordSource,
  type SimulationConfig,
  type SimulationReport,
} from "heteromem/sim";

/** An option that may be undefined can be passed on (exactOptionalPropertyTypes). */
export async function makeEngine(systemMemory: number | undefined): Promise<Hmm> {
  const config: HmmConfig = { systemMemory, capacities: { vmas: undefined } };
  const hmm = await Hmm.create(config);
  const vmas: number = hmm.config.capacities.vmas;
  return vmas > 0 ? hmm : Hmm.createSync(hmm.module, { backing: "data" });
}

/** What leads upward has its full type. */
export function lookAround(mm: Mm, addr: number): Page | undefined {
  const vma: Vma | null = mm.findVma(addr);
  if (vma === null) return undefined;
  const engine: Hmm = vma.mm.hmm;
  const pages: Uint32Array = vma.mm.pin(addr, 1, { write: undefined }).pages;
  const kind: FaultKind = mm.fault(addr, { write: true });
  mm.madvise(addr, PAGE_SIZE, MADV_DONTNEED);
  mm.madvise(addr, PAGE_SIZE, kind + 1);
  return engine.isDevicePage(1) ? pages[0] : undefined;
}

/** A driver of both generations. */
export function drive(hmm: Hmm, mm: Mm): string[] {
  const said: string[] = [];
  const owner = {};
  const devmem: HmmDevmem = hmmDevmemAdd(
    hmm,
    {
      free: (_devmem, page) => said.push(String(page)),
      fault: (_devmem, vma, address) => {
        const m = migrateVmaSetup({ vma, start: address, end: address + PAGE_SIZE, select: undefined });
        try {
          if (hmm.allocPages(m.src, m.dst) < m.cpages) return VM_FAULT_OOM;
          hmm.copyPages(m.src, m.dst);
          m.pages();
        } finally {
          m.finalize();
        }
        said.push(...m.result.stayed.map(({ reason }) => explain(reason)));
        return 0;
      },
    },
    owner,
    2 << 20,
    { id: undefined },
  );
  const mirror = new HmmMirror({
    update: (_mirror, action, start, end, event) => {
      if (action === 0 && event === MMU_NOTIFY_MIGRATE) said.push(`${start} ${end}`);
    },
  });
  hmmMirrorRegister(mirror, mm);
  const invalidate = (range: MmuNotifierRange): boolean => range.owner !== owner && range.mm === mm;
  const notifier = new MmuIntervalNotifier(mm, 0, 2 ** 47, { invalidate });
  const pfns = hmm.pfnArray(1);
  const addr = mm.mmap({ length: PAGE_SIZE, flags: MAP_PRIVATE | MAP_ANONYMOUS, file: undefined });
  const ret = hmmRangeFault({ notifier, notifierSeq: 0, start: addr, end: addr + PAGE_SIZE, pfns, owner });
  said.push(String(ret), String(devmem.owner === owner), pfns.slice().join());
  pfns.close();
  return said;
}

/** The other entries. */
export async function play(hmm: Hmm, mm: Mm): Promise<DmirrorResult> {
  const device = new DelayedDevice(hmm, { seed: undefined });
  await device.settle(Promise.resolve());
  const agent: Agent<Mm> = function* (world) {
    yield "write";
    world.write(0x10000, new Uint8Array(8));
  };
  explore({ agent }, { setup: (engine) => engine.createMm(), config: undefined });
  return new Dmirror(mm, { device: new DmirrorDevice(hmm, { memory: undefined }) }).read(0x10000, 1);
}

/** Simulations: every source, and options that may be undefined. */
export async function simulated(bytes: Iterable<Uint8Array>, size: string | undefined): Promise<number> {
  const config: SimulationConfig = { systemMemory: size, placement: "mirror", roi: [0, 10], epoch: "kernel" };
  function* own(): Generator<Block> {
    const records = new BigUint64Array(2);
    writeRecord(records, 0, { kind: "store", address: 0x10000, size: 8, agent: undefined });
    yield records;
    yield { records, kernels: ["sweep"] };
  }
  const source: RecordSource = openWorkload("add:size=1MiB");
  const onProgress = ({ accesses }: { accesses: number }): void => void accesses;
  const signal: { aborted: boolean } = { aborted: false };
  const reports: SimulationReport[] = [
    await simulate(source, config, { onProgress, signal }),
    await simulate(own(), { agent: { threads: [1, "2-3"] }, deviceRanges: [{ start: 0, end: 4096 }] }),
    await simulate(decodeLackey(bytes, { offload: [{ name: "f", start: 16, end: 32 }] })),
    await simulate(decodeHmt(bytes, { file: undefined })),
  ];
  const kernel: KernelReport | undefined = reports[0]?.kernels[0];
  const simulation = await Simulation.create();
  simulation.feed(new BigUint64Array(2));
  const copy: Simulation = Simulation.restore(simulation.snapshot());
  copy.close();
  // @ts-expect-error No such placement.
  await simulate(own(), { placement: "both" }).catch((error: unknown) => error instanceof ConfigError);
  return (kernel?.faults.device ?? 0) + simulation.report().rss;
}

/** Only the engine makes these objects. */
export function refused(): void {
  // @ts-expect-error The constructor is private.
  new Vma();
  // @ts-expect-error The constructor is private.
  new HmmDevmem();
}
