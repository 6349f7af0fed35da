/** What the lab offers to look at: short programs with a name. */
import { badRange } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import { Lab } from "./lab.ts";
import { parseOperation } from "./operation.ts";
import type { Scenario } from "./scenario.ts";
import { KERNEL_TESTS } from "./scenarios-kernel.ts";

const BASICS: readonly Scenario[] = [
  {
    name: "migrate-and-back",
    title: "Migrate and fault back",
    group: "basics",
    text:
      "The CPU writes four pages, the driver migrates them to the device, and the CPU touches one " +
      "of them: it comes back through the driver, and the program notices nothing.",
    operations: "w0-3 to0-3 r1",
  },
  {
    name: "mirror",
    title: "Mirror pages without moving them",
    group: "basics",
    text:
      "The device reads and writes the process's pages where they are, through its own table. When " +
      "the CPU gives a page up, the driver is told first.",
    operations: "w0-1 dr0-2 dw1 discard1 dr1",
  },
  {
    name: "fork",
    title: "Fork with a page on the device",
    group: "basics",
    text:
      "Parent and child share a page that lies on the device. When both write, each gets a page of " +
      "its own; watch the frames and their contents.",
    operations: "w0 to0 fork w0 w0@2",
  },
  {
    name: "partial-failure",
    title: "A migration that moves only some pages",
    group: "basics",
    text:
      "The device has three frames, and one of five pages is pinned. The migration is no failure: " +
      "each page that stays has its own reason.",
    config: { frames: 3 },
    operations: "w0-4 pin1 to0-4",
  },
  {
    name: "exclusive-access",
    title: "Exclusive access for atomics",
    group: "basics",
    text: "The device gets a page for itself, in place. The CPU's next access takes it back.",
    operations: "w0 excl0 dw0 r0",
  },
  {
    name: "swap",
    title: "Swap a mirrored page out",
    group: "basics",
    text:
      "Reclaim takes a page that the device mirrors. Both tables lose it; the device's read brings " +
      "it back.",
    operations: "w0-1 m0-1 out0-1 dr0",
  },
  {
    name: "large-folio",
    title: "A large folio is split to migrate",
    group: "basics",
    text: "A first write brings in 16 KiB as one folio. Migrating two of its pages splits it first.",
    config: { pages: 16 },
    operations: "huge0-15 w0 to0-1",
  },
  {
    name: "two-devices",
    title: "Two devices and one page",
    group: "basics",
    text: "A page on device 1 is read by device 2: it has to come back to system memory on the way.",
    config: { devices: 2 },
    operations: "w0 to0 dr0/2",
  },
  {
    name: "accounting",
    title: "Who pays for a page",
    group: "basics",
    text:
      "The group may have four pages. A migration neither adds to rss nor to the charge, and a new " +
      "page beyond the limit is refused, wherever the others lie.",
    config: { limit: 4 },
    operations: "w0-3 to0-3 w4 discard0 w4",
  },
];

const RACES: readonly Scenario[] = [
  {
    name: "race",
    title: "A correct driver and a rival",
    group: "races",
    text:
      "The driver mirrors a page while the CPU gives it up. Make the steps of both in any order, or " +
      "let the lab try every order: none fails.",
    operations: "w0",
    race: "m0 discard0",
  },
  {
    name: "race-no-retry",
    title: "A driver that does not retry",
    group: "races",
    text:
      "This driver maps what it has read, without asking whether it is still true. Find the order " +
      "that fails.",
    config: { bug: "no-retry" },
    operations: "w0",
    race: "m0 discard0",
  },
  {
    name: "race-late-invalidate",
    title: "A driver that invalidates late",
    group: "races",
    text:
      "This driver's callback returns before the device has forgotten the range. Find the order " +
      "that fails.",
    config: { bug: "late-invalidate" },
    operations: "w0",
    race: "m0 discard0 w0",
  },
  {
    name: "race-no-lock",
    title: "A driver without its lock",
    group: "races",
    text:
      "This driver asks and maps without the lock that its callback takes, so a change fits in " +
      "between. Find the order that fails.",
    config: { bug: "no-lock" },
    operations: "w0",
    race: "m0 discard0",
  },
  {
    name: "race-migration",
    title: "A migration and a rival",
    group: "races",
    text:
      "The driver migrates two pages while the CPU gives one up and writes to the other. The CPU " +
      "has to wait where the migration has the page.",
    operations: "w0-1",
    race: "to0-1 discard0 w1",
  },
];

/** All scenarios, in the order in which they are offered. */
export const SCENARIOS: readonly Scenario[] = [...BASICS, ...RACES, ...KERNEL_TESTS];

/** Makes the lab of a scenario, at its end. Throws RangeError for a name that there is not. */
export function openScenario(name: string, module?: Hmm["module"]): Lab {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined)
    throw badRange("openScenario", "name", `one of ${SCENARIOS.map((each) => each.name).join(", ")}`, name);
  const lab = new Lab(scenario.config, module);
  const parse = (text: string): string[] => text.split(" ").filter((each) => each !== "");
  for (const each of parse(scenario.operations)) lab.do(parseOperation(each, lab.config));
  for (const each of parse(scenario.race ?? "")) lab.give(parseOperation(each, lab.config));
  return lab;
}
