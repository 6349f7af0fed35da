/** What a step's words are in the place where it is made: its direction, its driver, and what came of it. */
import type { LabConfig } from "./config.ts";
import type { LabStep } from "./lab.ts";
import type { Operation } from "./operation.ts";
import type { StepText } from "./texts-migration.ts";
import { STEP_TEXTS, type StepId } from "./texts.ts";

type Variant = Partial<StepText>;

/** The steps of a migration to system memory, where they differ from one to a device. */
const BACK: Partial<Record<StepId, Variant>> = {
  alloc: {
    says:
      "A second list, dst, says where each page goes: back to system memory this time. A locked frame " +
      "there is allocated for each page. Until the copy, it shows what it held when it was last used.",
    otherwise: "Without it, there is no place that the CPU can reach to copy the page to.",
  },
  copy: {
    says:
      "Each page is copied from its frame on the device to its frame in system memory. Nobody can " +
      "reach the source, so its contents hold still.",
    otherwise: "Without it, the program would find what the frame in system memory held before.",
  },
  "map-migrated": {
    title: "Nothing to map on the device",
    says:
      "The same call as on the way to the device: it enters the pages that have moved to the device. " +
      "None has, so it enters nothing. The device was told at the beginning to forget the pages; when " +
      "it uses them again, it faults, and its driver mirrors them where they are.",
    keeps: "The device has no entry for a page that is moving.",
    otherwise: undefined,
  },
  finalize: {
    says:
      "HMM replaces every mark by an entry that names the frame in system memory, which the CPU can " +
      "reach, and unlocks the pages. The old frames on the device are freed. The device has no entry " +
      "for the pages: it was told at the beginning to forget them, and gets new entries when it asks.",
  },
};

/** The same inside the CPU's page fault. */
const FAULT: Partial<Record<StepId, Variant>> = {
  collected: {
    says:
      "HMM replaces the page's entry by a migration entry: a mark that says that the page is moving. " +
      "The page is locked already, by the fault that asked for it; the migration counts on that lock.",
    otherwise: "Without the mark, another thread could fault on the same page and use it in the middle.",
  },
  finalize: {
    says:
      "HMM replaces the mark by an entry that names the frame in system memory, and unlocks the page " +
      "there. The device has no entry for it: the driver was told to forget the page. The old frame on " +
      "the device is still locked and in use: the fault has held it since it began, and lets it go at " +
      "its end, the next step.",
    keeps: "The CPU's entry leads to the page's new frame; no table leads to the old one.",
    otherwise: "Without it, the access that faulted would meet the mark and wait for ever.",
  },
};

/** A driver that is told of a migration, its own or another's. */
const NOTIFY_MOVE: Variant = {
  says:
    "Before pages move, the callback of every driver that follows the process runs, also that of the " +
    "driver that moves them: this call cannot know which entries it has. The device forgets the range. " +
    "If it has no entry yet, nothing is seen to go, but the change has its number, and a reader in " +
    "between will start again.",
  otherwise:
    "Without it, the device could still write to the old frame after the copy, and the write would be lost.",
};

/** A change of protection, in the process or by a fork. */
const NOTIFY_PROTECTION: Variant = {
  otherwise: "Without it, the device could keep a right to write that the process has no longer.",
};

/** The access after a fault that has brought its page back from a device. */
const AGAIN: Variant = {
  says:
    "The fault is over: it has let go of mmap_sem and of the old frame on the device, which is " +
    "unlocked and free now. The access that stopped is made again, and finds the page in system " +
    "memory. The program notices nothing but the time that it took.",
};

/** A copy to a frame that has these contents already. */
const SAME_CONTENTS =
  "Nothing changes to see here: the new frame has the same contents already, because a frame keeps what it " +
  "held when it was freed. Had the device written to the page, they would change now.";

/** A setup without its second part. */
const NO_UNMAP =
  'Nobody else uses these pages here, so its part "Unmap: the other users of the pages" was not needed.';

const BREAKS_RULE = "Nothing: this driver breaks a rule, and the entry may be wrong from the beginning.";

/** What a driver with a bug does instead. */
const BUGGY: Partial<Record<LabConfig["bug"], Partial<Record<StepId, Variant>>>> = {
  "no-retry": {
    lock: {
      says: "This driver takes its lock, but it will not ask whether its answer is still true.",
      keeps: "No change can pass while the lock is held. One that passed before stays unnoticed.",
      otherwise: undefined,
    },
    map: {
      title: "Enter the pages, without having asked",
      says: "This driver fills the device's table from its answer, though the range may have changed since.",
      keeps: BREAKS_RULE,
      otherwise: undefined,
    },
  },
  "no-lock": {
    retry: {
      says:
        "This driver asks whether the range has changed, but without its lock: a change may come right " +
        "after.",
      keeps: "Nothing: the answer to the question may be over by the next step.",
    },
    map: {
      title: "Enter the pages, without the lock",
      says: "This driver fills the device's table without its lock. A change may have passed since it asked.",
      keeps: BREAKS_RULE,
      otherwise: undefined,
    },
  },
};

const FAILED: Variant = {
  says: "The process may not have what it asks for, so the access or the call ends with an error.",
  keeps: "What was refused has changed no page.",
  otherwise: undefined,
};

const WROTE: Variant = { keeps: "The next read, by whichever side, finds what was written here." };

/** What the words depend on. */
export interface Timeline {
  readonly steps: readonly LabStep[];
  readonly operations: readonly Operation[];
  readonly config: LabConfig;
}

/** Returns the words for a step of a timeline, true of the place where it is made. */
export function textOf({ steps, operations, config }: Timeline, at: number): StepText {
  const { id, inside, detail, error, operation, changed } = steps[at];
  const text: StepText = STEP_TEXTS[id];
  if (error !== null) return { ...text, ...FAILED };
  const verb = operations[operation]?.verb;
  const bug = BUGGY[config.bug]?.[id];
  const parts: (Variant | undefined)[] = [bug];
  if (verb !== "to") parts.push(BACK[id]);
  // A migration inside another operation is a fault's.
  const fault = verb !== "to" && verb !== "back" && verb !== "evict";
  if (fault && inside) parts.push(FAULT[id]);
  if (id === "notify" && detail.endsWith("about to move")) parts.push(NOTIFY_MOVE);
  if (id === "notify" && detail.endsWith("protection")) parts.push(NOTIFY_PROTECTION);
  if (id === "access" && broughtBack(steps, at)) parts.push(AGAIN);
  const writes = verb === "w" || verb === "dw";
  if (writes && (id === "access" || id === "device-access")) parts.push(WROTE);
  const here = parts.reduce<StepText>((all, part) => ({ ...all, ...part }), text);
  const more = moreOf(id, steps[at - 1]?.id, verb !== "to" && changed.length === 0);
  return more === "" ? here : { ...here, says: `${here.says} ${more}` };
}

/** What is to be added to the words: a step that is left out, a copy that changes nothing. */
function moreOf(id: StepId, before: StepId | undefined, same: boolean): string {
  if (id === "setup" && before !== "unmapped") return NO_UNMAP;
  return id === "copy" && same ? SAME_CONTENTS : "";
}

/** Whether a step ends an operation in which a fault brought a page back from a device. */
function broughtBack(steps: readonly LabStep[], at: number): boolean {
  for (let i = at - 1; i > 0 && steps[i].inside; i--) if (steps[i].id === "device-fault") return true;
  return false;
}
