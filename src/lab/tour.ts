/** The guided tour: ten stops, each a scenario's step with the thought that it shows. */

import { checkInteger } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import type { Lab } from "./lab.ts";
import { findRace } from "./race.ts";
import { openScenario } from "./scenarios.ts";

/** The step of a stop that shows the order in which a driver with a bug fails. */
const FAILING = "failing order";

/** A stop of the tour. */
export interface TourStop {
  readonly title: string;
  readonly text: string;
  /** The scenario that the stop shows. */
  readonly scenario: string;
  /** Which of its steps: the first one of this kind, or the last one of the order that fails. */
  readonly step: string;
}

/** The stops, in order. */
export const TOUR: readonly TourStop[] = [
  {
    title: "1. Why: one pointer for both sides",
    text:
      "Without HMM, a program copies its data into memory that the driver has set aside, and a list " +
      "or a tree has to be rebuilt with the device's addresses. With HMM a pointer means the same " +
      "on both sides: the CPU has written here, and the device may be given the pointer as it is.",
    scenario: "mirror",
    step: "access",
  },
  {
    title: "2. The bus: why not leave everything where it is",
    text:
      "A device reaches system memory over a bus that is slower than its own memory by a factor of " +
      "ten or more, and most buses give the CPU no way to reach the device's memory at all. So " +
      "pages that a device works on should lie on the device, and come back when the CPU needs " +
      "them.",
    scenario: "mirror",
    step: "device-access",
  },
  {
    title: "3. A shared address space",
    text:
      "The device has a page table of its own. For each address it names the page that the CPU's " +
      "table names, or nothing. Look at the two tables side by side: this one rule is what " +
      "everything else keeps.",
    scenario: "mirror",
    step: "map",
  },
  {
    title: "4. Mirror: be told before it changes",
    text:
      "The CPU's table changes all the time. Before it does, the driver's callback runs, and the " +
      "device forgets its entries. Here the device's entry is gone while the CPU's is still there: " +
      "in this order, the device can never use a page that was freed.",
    scenario: "mirror",
    step: "notify",
  },
  {
    title: "5. The retry loop",
    text:
      "Between the driver's look at the CPU's table and its update of the device's table, the page " +
      "may go. This driver does not check that, and has entered a frame that is free by now. A correct one " +
      "takes a number first, and compares it under its lock: if the range was invalidated, it " +
      "starts again.",
    scenario: "race-no-retry",
    step: FAILING,
  },
  {
    title: "6. Memory of the device",
    text:
      "The driver registers the device's memory, and each frame gets the same bookkeeping as one of " +
      "system memory: references, mappings, owner. So rmap (who maps a page), fork and accounting " +
      "work on it unchanged. Only one thing is different: no CPU can reach it. Here a migration, the " +
      "next stop's subject, takes frames of the device.",
    scenario: "migrate-and-back",
    step: "alloc",
  },
  {
    title: "7. Migrate: nobody can look while it moves",
    text:
      "Setup locks the pages and puts migration entries in their place, so whoever touches them " +
      "waits. Then the driver can copy at leisure: the contents cannot change. Go on step by step: " +
      "allocate, copy, let the destination become the page, map it on the device, finish.",
    scenario: "migrate-and-back",
    step: "setup",
  },
  {
    title: "8. Back by a page fault",
    text:
      "The CPU touches a page on the device. Its entry is not present, so it faults, and the fault " +
      "asks the driver to migrate the page back. It is the same migration in the other direction, " +
      "inside the CPU's own access.",
    scenario: "migrate-and-back",
    step: "device-fault",
  },
  {
    title: "9. Partial failure is no failure",
    text:
      "A page that is pinned, or for which the device has no frame, simply stays: it gets its old " +
      "entry back, with the reason why. A driver must not expect that all pages move.",
    scenario: "partial-failure",
    step: "finalize",
  },
  {
    title: "10. Accounting",
    text:
      "A page counts in rss (what the process has in memory), and is charged to its memory group, " +
      "which limits how much its processes may use, wherever it lies: a migration changes " +
      "neither. So a process cannot get around its limit by moving memory to a device.",
    scenario: "accounting",
    step: "finalize",
  },
];

/** Makes the lab of a stop, with its step shown. Throws RangeError for a stop that there is not. */
export function openStop(stop: number, module?: Hmm["module"]): Lab {
  checkInteger("openStop", "stop", stop, 0, TOUR.length - 1);
  const { scenario, step } = TOUR[stop];
  const lab = openScenario(scenario, module);
  if (step === FAILING) for (const agent of findRace(lab.program).order ?? []) lab.step(agent);
  else lab.goto(lab.steps.findIndex(({ id }) => id === step));
  return lab;
}
