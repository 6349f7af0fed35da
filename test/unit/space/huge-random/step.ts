/** A step of the random test of huge pages: what it draws comes from its seed and number alone. */
import { Random } from "../../../../src/testing.ts";
import { PAGES } from "../../../util/huge.ts";
import { type HugeWorld, type Process, SPAN } from "./world.ts";

/** One step's numbers, and what it says it did. */
export class Step {
  readonly random: Random;
  readonly world: HugeWorld;
  text = "";

  constructor(world: HugeWorld, seed: number, number: number) {
    this.world = world;
    this.random = new Random((Math.imul(seed, 0x9e3779b1) + number) >>> 0);
  }

  chance(one: number): boolean {
    return this.random.below(one) === 0;
  }

  /** A process whose mappings may change, if there is one. */
  writable(): Process | undefined {
    return this.random.pick(this.world.processes.filter((process) => !this.world.held(process)));
  }

  process(): Process {
    return this.random.pick(this.world.processes)!;
  }

  /** First page and number; of a process, so that something is more often there than not. */
  range(process?: Process): [page: number, n: number] {
    const drawn = this.#draw();
    return process === undefined || process.mapped(drawn[0]) ? drawn : this.#draw();
  }

  /** An area, half of one, some pages, or anything. */
  #draw(): [page: number, n: number] {
    const { random } = this;
    const kind = random.below(8);
    if (kind < 4) return [random.below(4) * PAGES, PAGES];
    if (kind === 4) return [random.below(8) * 256, 256];
    const page = random.below(SPAN);
    return [page, 1 + random.below(Math.min(kind < 7 ? 16 : SPAN, SPAN - page))];
  }

  say(what: string, process: Process, page: number, n: number): void {
    this.text = `${what} of ${process.id}: ${page}+${n}`;
  }
}

export type Operation = (step: Step) => void;
