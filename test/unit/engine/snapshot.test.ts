import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  Memcg,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type RestoreAttachments,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("snapshot", (test, module) => {
  const scene = (): { hmm: Hmm; gpu: TestGpu; addr: number } => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm({ memcg: new Memcg({ limit: 1000 }) });
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    gpu.toDevice(addr, addr + 4 * P);
    new MmuIntervalNotifier(mm, addr, P, { invalidate: () => undefined }, { id: "watch" });
    mm.fork();
    return { hmm, gpu, addr };
  };

  /** Returns callbacks for scene()'s objects that write to `log`. */
  const attachments = (log: string[], hmm: () => Hmm): RestoreAttachments => ({
    module,
    mirrors: {
      mirror1: {
        update: (_m, _a, start, end) => void (log.push("update"), hmm().deviceTables()[0].clear(start, end)),
      },
    },
    notifiers: { watch: { invalidate: () => void log.push("watch") } },
    devmems: {
      devmem1: {
        device: "gpu",
        ops: {
          free: () => void log.push("free"),
          fault: (_devmem, vma, address) => {
            log.push("fault");
            using m = migrateVmaSetup({ vma, start: address, end: address + P, owner: "gpu" });
            hmm().allocPages(m.src, m.dst);
            hmm().copyPages(m.src, m.dst);
            m.pages();
          },
        },
      },
    },
  });

  test("files are in the snapshot, and used names are not used again", () => {
    const hmm = makeHmm(module);
    const file = hmm.createFile({ bytes: 2 * P });
    file.write(0, pattern(2));
    const mm = hmm.createMm();
    const invalidate = (): void => undefined;
    const first = new MmuIntervalNotifier(mm, mm.mmap({ file, length: P }), P, { invalidate });
    const restored = Hmm.restore(hmm.snapshot(), { module, notifiers: { [first.id]: { invalidate } } });
    const [other] = restored.files();
    assert.equal(other.read(0, 2 * P), pattern(2));
    const second = new MmuIntervalNotifier(restored.mms()[0], 0, P, { invalidate });
    assert.is.not(second.id, first.id);
    for (const one of restored.mms()) one.close();
    other.close();
    assert.equal(restored.files(), []);
    restored.verify();
  });

  test("the same calls make the same bytes", () => {
    assert.equal(scene().hmm.snapshot(), scene().hmm.snapshot());
  });

  test("a restored engine continues like the first", () => {
    const { hmm, gpu, addr } = scene();
    const bytes = hmm.snapshot();
    const log: string[] = [];
    const other: Hmm = Hmm.restore(
      bytes,
      attachments(log, () => other),
    );
    other.verify();
    assert.equal(other.config, hmm.config);
    assert.equal(
      other.mms().map((mm) => mm.id),
      [1, 2],
    );
    assert.is(other.mirrors()[0].id, "mirror1");
    assert.is(other.memcgs()[0].usage, 8);
    const restored = other.snapshot();
    assert.equal(restored.subarray(restored.length - 4096), bytes.subarray(bytes.length - 4096));
    const [mm, child] = other.mms();
    assert.equal(mm.read(addr, 8 * P), pattern(8));
    child.write(addr, Uint8Array.of(200));
    assert.is(mm.read(addr, 1)[0], 0);
    mm.munmap(addr, P);
    assert.is(log.filter((line) => line === "fault").length, 4);
    assert.is(log.filter((line) => line === "free").length, 4);
    assert.ok(log.includes("watch"));
    other.verify();
    // The first engine is unaffected.
    assert.is(gpu.devmem.usedPages, 4);
    assert.equal(gpu.mm.read(addr, 8 * P), pattern(8));
    hmm.verify();
    other.close();
    other.verify();
  });

  test("an open migration continues", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, pattern(4));
    const gpu = new TestGpu(mm);
    const sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 4 * P, owner: gpu });
    gpu.devmem.allocPages(m.src, m.dst);
    const bytes = hmm.snapshot();
    m.finalize();
    sem.close();
    const other: Hmm = Hmm.restore(
      bytes,
      attachments([], () => other),
    );
    const again = other.migrations()[0];
    assert.is(again.cpages, 4);
    assert.is(again.vma!.start, addr);
    using _sem = other.mms()[0].mmapSem.read();
    other.copyPages(again.src, again.dst);
    assert.is(again.pages(), 4);
    assert.is(other.deviceTables()[0].mapMigrated(again), 4);
    again.finalize();
    other.verify();
    const seen = new Uint8Array(4 * P);
    other.deviceTables()[0].read(addr, seen);
    assert.equal(seen, pattern(4));
  });

  test("missing or damaged parts are refused", () => {
    const { hmm } = scene();
    const bytes = hmm.snapshot();
    const whole = attachments([], () => hmm);
    const refused = (data: unknown, attach: RestoreAttachments): Error =>
      errorOf(() => Hmm.restore(data as never, attach))!;
    assert.match(
      refused(bytes, { ...whole, mirrors: {} }).message,
      /attach\.mirrors\["mirror1"\] must be given/,
    );
    assert.match(refused(bytes, { ...whole, notifiers: {} }).message, /attach\.notifiers\["watch"\]/);
    assert.match(refused(bytes, { ...whole, devmems: {} }).message, /attach\.devmems\["devmem1"\]/);
    assert.instance(refused([], whole), TypeError);
    assert.instance(refused(new Uint8Array(100), whole), RangeError);
    assert.instance(refused(bytes.subarray(0, bytes.length - 65536), whole), RangeError);
    assert.instance(refused(bytes.subarray(0, 60), whole), RangeError);
  });

  test("snapshot(into) writes the same bytes into a used array, and none after them", () => {
    const { hmm, gpu, addr } = scene();
    const fresh = hmm.snapshot();
    const buffer = new Uint8Array(fresh.length + 100).fill(0xa5);
    const into = buffer.subarray(3);
    const bytes = hmm.snapshot({ into });
    assert.is(bytes.buffer, buffer.buffer);
    assert.is(bytes.byteOffset, 3);
    assert.is(Buffer.compare(bytes, fresh), 0);
    assert.ok(buffer.subarray(0, 3).every((byte) => byte === 0xa5));
    assert.ok(into.subarray(fresh.length).every((byte) => byte === 0xa5));
    gpu.mm.mmap({ length: P });
    assert.is(Buffer.compare(hmm.snapshot({ into }), hmm.snapshot()), 0);
    const other: Hmm = Hmm.restore(
      bytes,
      attachments([], () => other),
    );
    other.verify();
    assert.equal(other.mms()[0].read(addr + 4 * P, P), pattern(8).subarray(4 * P, 5 * P));
  });

  test("what was in the array does not show between header and memory, however long the header is", () => {
    const capacities = { vmas: 64, anonVmas: 64, anonVmaLinks: 64, pageTables: 64, files: 8 };
    const config = { systemMemory: 1 << 20, deviceMemory: 0, arena: 1 << 16, eventLog: 16, capacities };
    const hmm = makeHmm(module, config);
    const mm = hmm.createMm();
    // Memory begins at a multiple of 16 bytes: ids of 16 lengths leave every number of bytes before it.
    for (let n = 1; n <= 16; n++) {
      using _notifier = new MmuIntervalNotifier(mm, 0, P, { invalidate: () => true }, { id: "n".repeat(n) });
      const fresh = hmm.snapshot();
      const into = new Uint8Array(fresh.length).fill(0xa5);
      assert.is(Buffer.compare(hmm.snapshot({ into }), fresh), 0, `an id of ${n} bytes`);
    }
  });

  test("an array that is too short is unchanged, and the error gives the length needed", () => {
    const { hmm } = scene();
    const { length } = hmm.snapshot();
    const into = new Uint8Array(length - 1).fill(0xa5);
    const { message } = errorOf(() => hmm.snapshot({ into }))!;
    assert.match(message, `hmm.snapshot: options.into must be at least ${length} bytes long, got`);
    assert.ok(into.every((byte) => byte === 0xa5));
  });

  test("a callback cannot take a snapshot", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: P });
    let error: Error | undefined;
    new MmuIntervalNotifier(mm, addr, P, { invalidate: () => void (error = errorOf(() => hmm.snapshot())) });
    mm.munmap(addr, P);
    assert.instance(error, TypeError);
    assert.not(error instanceof HmmError);
  });

  test("arrays of the first engine take no room in the second engine's arena", () => {
    const hmm = makeHmm(module, { arena: 65536 });
    hmm.pfnArray(15000);
    const other = Hmm.restore(hmm.snapshot(), { module });
    other.pfnArray(15000).close();
    other.verify();
  });

  test("a default id that was in use before the snapshot is not given again", () => {
    const hmm = makeHmm(module);
    const invalidate = (): boolean => true;
    const mm = hmm.createMm();
    for (let i = 0; i < 3; i++) new MmuIntervalNotifier(mm, 0, 4096, { invalidate }).close();
    const restored = Hmm.restore(hmm.snapshot(), { module });
    assert.is(new MmuIntervalNotifier(restored.mms()[0], 0, 4096, { invalidate }).id, "notifier4");
  });
}).run();
