/**
 * Random operations of up to three processes and a device on mergeable memory, compared with plain arrays.
 */
import * as assert from "uvu/assert";
import {
  Hmm,
  MADV_DONTNEED,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MADV_UNMERGEABLE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { Random } from "../../../src/testing.ts";
import { onEachBuild } from "../../util/builds.ts";
import { filled } from "./ksm.ts";

const MIB = 1 << 20;
const PAGES = 12;
const STEPS = 250;
const SEEDS = 8;
const MOVE = MREMAP_MAYMOVE | MREMAP_FIXED;

interface Process {
  mm: Mm;
  mirror: Dmirror;
  /** The byte that fills each page. */
  bytes: number[];
}

class Play {
  readonly hmm: Hmm;
  readonly device: DmirrorDevice;
  readonly base: number;
  readonly processes: Process[] = [];
  readonly #random: Random;
  readonly #free: number;

  constructor(module: WebAssembly.Module, seed: number) {
    this.hmm = Hmm.createSync(module, { systemMemory: 2 * MIB, deviceMemory: 2 * MIB, swap: MIB });
    this.#random = new Random(seed);
    this.#free = this.hmm.freePages;
    this.device = new DmirrorDevice(this.hmm, { memory: 2 * MIB, coherent: seed % 2 === 0 });
    const mm = this.hmm.createMm();
    this.base = mm.mmap({ length: PAGES * PAGE_SIZE });
    this.#add(mm, new Array<number>(PAGES).fill(0));
    mm.madvise(this.base, PAGES * PAGE_SIZE, MADV_MERGEABLE);
  }

  step(): void {
    const process = this.processes[this.#random.below(this.processes.length)];
    const first = this.#random.below(PAGES);
    const n = 1 + this.#random.below(Math.min(4, PAGES - first));
    this.#act(process, first, n);
    this.hmm.verify();
    if (this.#random.below(2) === 0) this.#compare();
  }

  end(): void {
    this.#compare();
    for (const { mm, mirror } of this.processes) {
      mirror.close();
      mm.close();
    }
    this.device.close();
    this.hmm.verify();
    assert.is(this.hmm.freePages, this.#free);
    assert.equal(this.hmm.ksmScan(0), { pagesShared: 0, pagesSharing: 0 });
  }

  #add(mm: Mm, bytes: number[]): void {
    this.processes.push({ mm, mirror: new Dmirror(mm, { device: this.device }), bytes });
  }

  /** One random operation on n pages from `first`. */
  #act(process: Process, first: number, n: number): void {
    const { mm, mirror, bytes } = process;
    const addr = this.base + first * PAGE_SIZE;
    const length = n * PAGE_SIZE;
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
        bytes[first] = 1 + this.#random.below(3);
        return mm.write(addr, filled(bytes[first]));
      case 3:
      case 4:
        return void this.hmm.ksmScan(1 + this.#random.below(3));
      case 5:
        return void (n > 2 ? mirror.migrateToSystem(addr, n) : mirror.migrateToDevice(addr, n));
      case 6:
        return void mirror.exclusive(addr, n);
      case 7:
        return mm.madvise(addr, length, n > 3 ? MADV_UNMERGEABLE : MADV_MERGEABLE);
      case 8:
        return mm.madvise(addr, length, MADV_PAGEOUT);
      case 9:
        if (n < 3) return this.#away(mm, addr);
        bytes.fill(0, first, first + n);
        return mm.madvise(addr, length, MADV_DONTNEED);
      case 10:
        return this.#forkOrExit(process);
      case 11: {
        using _pin = mm.pin(addr, n);
        this.hmm.ksmScan();
      }
    }
  }

  /** Moves a page elsewhere and back. */
  #away(mm: Mm, addr: number): void {
    const elsewhere = addr - 2 ** 30;
    mm.mremap(addr, PAGE_SIZE, PAGE_SIZE, MOVE, elsewhere);
    this.hmm.verify();
    mm.mremap(elsewhere, PAGE_SIZE, PAGE_SIZE, MOVE, addr);
  }

  #forkOrExit(process: Process): void {
    const { mm, mirror, bytes } = process;
    if (this.processes.length < 3) return this.#add(mm.fork(), [...bytes]);
    this.processes.splice(this.processes.indexOf(process), 1);
    mirror.close();
    mm.close();
  }

  #compare(): void {
    for (const { mm, bytes } of this.processes) {
      const got = bytes.map((_, i) => mm.read(this.base + i * PAGE_SIZE, 1)[0]);
      assert.equal(got, bytes);
    }
  }
}

onEachBuild("ksm: random", (test, module) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`bytes and invariants hold, seed ${seed}`, () => {
      const play = new Play(module, seed);
      for (let step = 0; step < STEPS; step++) play.step();
      play.end();
    });
  }
}).run();
