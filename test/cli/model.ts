/**
 * A second, plain simulation of the rules in docs/run.md: Maps and loops, one page at a time. The model reads
 * the text of a trace itself and does not use the engine.
 */
const PAGE = 4096;
const CLUSTER = 16;
const KERNEL_HALF = 2 ** 47;

type Place = "ram" | "device" | "zero";

interface Page {
  place: Place;
  /** Whether the device has accessed the page since the page came in. */
  dirty: boolean;
  used: number;
  /** Whether the page was on the device before. */
  left: boolean;
}

/**
 * Returns the agent of each access by the program counter. Code in neither range keeps the agent before it.
 */
export function* readAccesses(
  text: string,
  kernel: { start: number; end: number },
  main: { start: number; end: number },
): Generator<{ device: boolean; kind: string; address: number; size: number }> {
  let device = false;
  for (const line of text.split("\n")) {
    const match = /^([I ][ LSM] {0,2})([0-9a-f]+),(\d+)$/.exec(line);
    if (!match) continue;
    const address = Number.parseInt(match[2], 16);
    if (line.startsWith("I")) {
      if (address >= kernel.start && address < kernel.end) device = true;
      if (address >= main.start && address < main.end) device = false;
    } else if (address < KERNEL_HALF) {
      yield { device, kind: line[1], address, size: Number(match[3]) };
    }
  }
}

export class Model {
  /** The device accesses its own memory alone: there is room for each cluster that it needs. */
  readonly accesses = {
    cpu: { loads: 0, stores: 0 },
    device: { loads: 0, stores: 0, ram: { loads: 0, stores: 0 }, peer: { loads: 0, stores: 0 } },
  };
  readonly cpuFaults = { zero: 0, anon: 0, cow: 0, reuse: 0, device: 0, other: 0 };
  deviceFaults = 0;
  pagesIn = 0;
  pagesCopied = 0;
  pagesInAgain = 0;
  pagesOut = 0;
  pagesOutDirty = 0;
  pagesOutEvicted = 0;
  pagesOutEvictedDirty = 0;
  pagesPeak = 0;
  evictions = 0;
  readonly #pages = new Map<number, Page>();
  readonly #capacity: number;
  #clock = 0;

  constructor(deviceMemory: number) {
    this.#capacity = deviceMemory / PAGE;
  }

  run(accesses: Iterable<{ device: boolean; kind: string; address: number; size: number }>): this {
    for (const { device, kind, address, size } of accesses) {
      const agent = this.accesses[device ? "device" : "cpu"];
      if (kind !== "S") agent.loads++;
      if (kind !== "L") agent.stores++;
      const first = Math.floor(address / PAGE);
      const last = Math.floor((address + size - 1) / PAGE);
      // An access that faults starts again at its first byte.
      for (let page = first; page <= last;) {
        const done = device ? this.#device(page, kind !== "L") : this.#cpu(page, kind !== "L");
        page = done ? page + 1 : first;
      }
    }
    return this;
  }

  count(place: Place): number {
    return [...this.#pages.values()].filter((page) => page.place === place).length;
  }

  /** Touches a page. Returns false for a fault. */
  #cpu(number: number, write: boolean): boolean {
    const page = this.#pages.get(number);
    if (page === undefined) {
      this.cpuFaults[write ? "anon" : "zero"]++;
      this.#pages.set(number, { place: write ? "ram" : "zero", dirty: false, used: 0, left: false });
    } else if (page.place === "zero" && write) {
      this.cpuFaults.cow++;
      page.place = "ram";
    } else if (page.place === "device") {
      this.cpuFaults.device++;
      this.#moveOut(number);
    } else {
      return true;
    }
    return false;
  }

  #device(number: number, write: boolean): boolean {
    const page = this.#pages.get(number);
    if (page?.place !== "device") {
      this.deviceFaults++;
      this.#moveIn(number);
      return false;
    }
    page.used = ++this.#clock;
    page.dirty ||= write;
    return true;
  }

  #cluster(number: number): number[] {
    const first = number - (number % CLUSTER);
    return Array.from({ length: CLUSTER }, (_, i) => first + i);
  }

  #moveIn(number: number): void {
    const cluster = this.#cluster(number);
    const wanted = cluster.filter((one) => this.#pages.get(one)?.place !== "device");
    while (this.count("device") + wanted.length > this.#capacity) {
      const others = [...this.#pages].filter(
        ([one, page]) => page.place === "device" && !cluster.includes(one),
      );
      const [victim] = others.reduce((oldest, next) => (next[1].used < oldest[1].used ? next : oldest));
      this.evictions++;
      const dirty = this.pagesOutDirty;
      this.pagesOutEvicted += this.#moveOut(victim);
      this.pagesOutEvictedDirty += this.pagesOutDirty - dirty;
    }
    for (const one of wanted) {
      const page = this.#pages.get(one);
      this.pagesIn++;
      if (page?.place === "ram") this.pagesCopied++;
      if (page?.left) this.pagesInAgain++;
      this.#pages.set(one, { place: "device", dirty: false, used: ++this.#clock, left: page?.left ?? false });
    }
    this.pagesPeak = Math.max(this.pagesPeak, this.count("device"));
  }

  #moveOut(number: number): number {
    const moving = this.#cluster(number).filter((one) => this.#pages.get(one)?.place === "device");
    for (const one of moving) {
      const page = this.#pages.get(one)!;
      if (page.dirty) this.pagesOutDirty++;
      Object.assign(page, { place: "ram", dirty: false, left: true });
    }
    this.pagesOut += moving.length;
    return moving.length;
  }
}
