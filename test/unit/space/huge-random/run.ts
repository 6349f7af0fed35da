/** Runs random steps, and shortens a failed run. */
import * as devices from "./devices.ts";
import * as mappings from "./mappings.ts";
import { Step, type Operation } from "./step.ts";
import { HugeWorld } from "./world.ts";

/** The number of earlier steps that a failure prints. */
const SHOWN = 12;

const end: Operation = (step) => {
  const { world } = step;
  const open = step.random.pick(world.open);
  if (open === undefined) return;
  step.text = `end of ${open.what}`;
  world.open = world.open.filter((other) => other !== open);
  open.close();
};

const reload: Operation = (step) => {
  if (step.world.open.length > 0) return;
  step.text = "snapshot, restore";
  step.world.reload();
};

/** The weight of each step. */
const OPERATIONS: readonly [Operation, number][] = [
  [mappings.write, 20],
  [mappings.read, 10],
  [mappings.mmap, 5],
  [mappings.munmap, 2],
  [mappings.mprotect, 4],
  [mappings.madvise, 9],
  [mappings.collapse, 6],
  [mappings.mremap, 6],
  [mappings.fork, 4],
  [mappings.close, 3],
  [devices.migrate, 20],
  [devices.lodge, 5],
  [devices.pin, 3],
  [devices.exclusive, 4],
  [devices.device, 6],
  [devices.evict, 2],
  [end, 18],
  [reload, 1],
  [devices.spoil, 1],
];
const { write, read, collapse, fork } = mappings;
const { pin, exclusive, device } = devices;
/** Steps that a failed allocation leaves undone, or done for whole pages. */
const MAY_FAIL = new Set([write, read, collapse, fork, pin, exclusive, device]);
const DRAWN = OPERATIONS.flatMap(([operation, n]) => new Array<Operation>(n).fill(operation));

/** The failure of a step, or of the check after the last step. */
export class StepError extends Error {
  readonly numbers: readonly number[];

  constructor(seed: number, numbers: readonly number[], said: readonly string[], cause: Error) {
    super(
      `seed ${seed}, step ${numbers.at(-1)}: ${cause.message}\n${said.map((text) => `  ${text}`).join("\n")}`,
      { cause },
    );
    this.numbers = numbers;
  }
}

/** Runs the steps of these numbers. Throws StepError. */
export function runSteps(module: WebAssembly.Module, seed: number, numbers: readonly number[]): void {
  const world = new HugeWorld(module, seed % 2 === 0);
  const said: string[] = [];
  const scarce = world.short;
  for (const [i, number] of numbers.entries()) {
    const step = new Step(world, seed, number);
    try {
      runStep(step, scarce);
    } catch (error) {
      const refused = world.gpus.map(({ refused }) => refused).filter((why) => why !== "");
      throw new StepError(
        seed,
        numbers.slice(0, i + 1),
        [...said.slice(-SHOWN), `${number} ${step.text}`, ...refused],
        error as Error,
      );
    }
    if (step.text !== "") said.push(`${number} ${step.text}`);
  }
  world.short = scarce;
  try {
    world.close();
  } catch (error) {
    throw new StepError(seed, numbers, [...said.slice(-SHOWN), "close"], error as Error);
  }
}

function runStep(step: Step, scarce: boolean): void {
  const { world } = step;
  const operation = step.random.pick(DRAWN)!;
  const failing = MAY_FAIL.has(operation) && step.chance(8);
  if (failing) world.hmm.failAllocation(1 + step.random.below(4));
  world.short = scarce || failing;
  operation(step);
  world.hmm.failAllocation(0);
  world.check();
}

/** Removes the steps that a failure does not need. Each step draws its own random numbers. */
export function shortened(module: WebAssembly.Module, seed: number, error: StepError): StepError {
  const kind = ({ cause }: Error): string => (cause as Error).message.replace(/[\dx]+[\da-f]*/g, "N");
  let best = error;
  for (let piece = Math.ceil(best.numbers.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
    for (let at = best.numbers.length - piece; at >= 0; at = Math.min(at, best.numbers.length) - piece) {
      try {
        runSteps(module, seed, [...best.numbers.slice(0, at), ...best.numbers.slice(at + piece)]);
      } catch (other) {
        if (other instanceof StepError && kind(other) === kind(error)) best = other;
      }
    }
  }
  return best;
}
