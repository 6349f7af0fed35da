/**
 * A step of the random test of huge pages: its random numbers depend only on the seed and the step's number.
 */
import { Random } from "../../../../src/testing.ts";
import { PAGES } from "../../../util/huge.ts";
import { type HugeWorld, type Process, SPAN } from "./world.ts";

/** One step's random numbers and description. */
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

  /** Returns a process whose mappings may change, if there is one. */
  writable(): Process | undefined {
    return this.random.pick(this.world.processes.filter((process) => !this.world.held(process)));
  }

  process(): Process {
    return this.random.pick(this.world.processes)!;
  }

  /** Returns a first page and a count, more often mapped than not. */
  range(process?: Process): [page: number, n: number] {
    const drawn = this.#draw();
    return process === undefined || process.mapped(drawn[0]) ? drawn : this.#draw();
  }

  /** Returns a range: an area, half an area, some pages, or any range. */
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
