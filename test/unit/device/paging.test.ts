/** Demand paging by the core, against what is derived by hand. */
import * as assert from "uvu/assert";
import {
  PAGING_CAME,
  PAGING_COPIED,
  PAGING_EVENTS_MAX,
  PAGING_LEFT,
  PAGING_LEFT_DIRTY,
} from "../../../assembly/abi/record.ts";
import { DemandPaging } from "../../../src/device/paging.ts";
import { RangeMover } from "../../../src/device/range-mover.ts";
import { RecordArray, trackUse, type ReplayStop } from "../../../src/device/replay.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  Memcg,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  type Hmm,
  type Mm,
} from "../../../src/index.ts";
import { writeRecord } from "../../../src/sim/record.ts";
import { onEachBuild } from "../../util/builds.ts";
import { makeHmm } from "../../util/driver.ts";

const MIB = 1 << 20;
const RECORDS = 2 * PAGING_EVENTS_MAX;
/** An access of the device to a page: its number, whether it stores, and its bytes. */
type Access = [page: number, store?: boolean, size?: number];

onEachBuild("demand paging", (test, module) => {
  /** A process and a device whose table has a leaf table for the process's first 2 MiB. */
  class World {
    readonly hmm: Hmm = makeHmm(module);
    readonly mm: Mm;
    readonly start: number;
    readonly #table: DeviceTable;
    readonly #mover: RangeMover;
    readonly #paging: DemandPaging;
    readonly #records: RecordArray;

    constructor(memcg?: Memcg) {
      const { hmm } = this;
      trackUse(hmm);
      this.mm = hmm.createMm(memcg === undefined ? {} : { memcg });
      const { mm } = this;
      this.start = Math.ceil(mm.mmap({ length: 6 * MIB }) / (2 * MIB)) * 2 * MIB;
      const owner = {};
      const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, owner, 2 * MIB);
      this.#table = new DeviceTable(mm);
      new MmuIntervalNotifier(mm, 0, 2 ** 47, null, { table: this.#table, owner });
      this.#mover = new RangeMover(mm, devmem, this.#table);
      this.makeTables();
      this.#paging = new DemandPaging(devmem, this.#table);
      this.#records = new RecordArray(hmm, RECORDS);
    }

    /** Has a page come and leave, so that both sides have their leaf tables. */
    makeTables(): void {
      using _sem = this.mm.mmapSem.read();
      const last = this.start + 511 * PAGE_SIZE;
      this.#mover.toDevice(last, last + PAGE_SIZE);
      this.#mover.toSystem(last, last + PAGE_SIZE, last);
    }

    /** Makes the device's accesses, with room for `room` pages. */
    replay(accesses: readonly Access[], room: number): ReplayStop {
      accesses.forEach(([page, store = false, size = 8], i) => {
        const address = this.start + page * PAGE_SIZE;
        writeRecord(this.#records, i, { kind: store ? "store" : "load", address, size, agent: 1 });
      });
      const paging = { by: this.#paging, room };
      const tables = [null, this.#table];
      const stop = this.#records.replay(this.mm, tables, 0, accesses.length, null, paging);
      this.hmm.verify();
      return stop;
    }

    /** What the last replay did: numbers of pages from the start on, and PAGING_*. */
    get events(): [page: number, what: number][] {
      const first = this.start / PAGE_SIZE;
      const { events, used } = this.#paging;
      return Array.from(events.subarray(0, used), (event) => [Math.floor(event / 4) - first, event % 4]);
    }
  }

  test("the page that was used longest ago leaves, and each event says what moved", () => {
    const world = new World();
    world.mm.store32(world.start + 3 * PAGE_SIZE, 1);
    // Two pages fit. 0 and 1 come; 0 is used again, so 1 makes room for 2, and 0, which was written, for 3.
    const stop = world.replay([[0, true], [1], [0], [2], [3], [3], [2]], 2);
    assert.equal([stop.reason, stop.at], ["done", 7]);
    assert.equal(world.events, [
      [0, PAGING_CAME],
      [1, PAGING_CAME],
      [1, PAGING_LEFT],
      [2, PAGING_CAME],
      [0, PAGING_LEFT_DIRTY],
      [3, PAGING_COPIED],
    ]);
    // What left is in RAM and comes back from there; 3 was used before 2.
    assert.is(world.replay([[0]], 0).reason, "done");
    assert.equal(world.events, [
      [3, PAGING_LEFT],
      [0, PAGING_COPIED],
    ]);
  });

  test("a record of several pages stops the replay, and pages that faulted before it have come", () => {
    const world = new World();
    const accesses: Access[] = [[0], [1, false, PAGE_SIZE + 1], [3]];
    const stop = world.replay(accesses, 8);
    assert.equal([stop.reason, stop.at, stop.address], ["device-fault", 1, world.start + PAGE_SIZE]);
    assert.equal(world.events, [[0, PAGING_CAME]]);
    // The whole page is one page.
    assert.is(world.replay([[1, false, PAGE_SIZE]], 8).reason, "done");
  });

  /** Worlds in which the first page cannot simply come, and why. */
  const odd: [why: string, make: () => World][] = [
    ["its leaf table is missing", () => Object.assign(new World(), { start: new World().start + 2 * MIB })],
    ["a memory cgroup counts it", () => new World(new Memcg({ limit: MIB }))],
  ];
  const change = (why: string, make: (world: World) => unknown): void => {
    odd.push([
      why,
      () => {
        const world = new World();
        make(world);
        return world;
      },
    ]);
  };
  change("another process maps it", ({ mm, start }) => (mm.store32(start, 1), mm.fork()));
  change("it is pinned", ({ mm, start }) => mm.pin(start, 1, { write: true }));
  change("it is the zero page", ({ mm, start }) => mm.load32(start));
  change("it may not be written", (world) => {
    world.mm.mprotect(world.start, PAGE_SIZE, PROT_READ);
    world.makeTables();
  });
  change(
    "a callback is to be told",
    ({ mm, start }) => new MmuIntervalNotifier(mm, start, 8, { invalidate: () => true }),
  );
  change("somebody listens", ({ hmm }) => hmm.on("migrate", () => undefined));
  change("an allocation is to fail", ({ hmm }) => hmm.failAllocation(1000));
  for (const [why, make] of odd) {
    test(`a page stops the replay if ${why}`, () => {
      const world = make();
      const stop = world.replay([[0, true]], 8);
      assert.equal([stop.reason, stop.at, stop.address], ["device-fault", 0, world.start]);
      assert.equal(world.events, []);
    });
  }

  test("a page that cannot leave stops the replay, too", () => {
    const world = new World();
    assert.is(world.replay([[0]], 1).reason, "done");
    world.mm.fork();
    assert.equal([world.replay([[1]], 0).reason, world.events], ["device-fault", []]);
  });

  test("a call writes as many events as there is room for", () => {
    const world = new World();
    const accesses = Array.from({ length: RECORDS }, (_, i): Access => [i % 3]);
    const stop = world.replay(accesses, 1);
    // One page comes, and then each access makes one leave and another come.
    assert.equal([stop.reason, stop.at], ["device-fault", PAGING_EVENTS_MAX / 2]);
    assert.is(world.events.length, PAGING_EVENTS_MAX - 1);
  });
}).run();
