/**
 * What the lab says of each step, in the project's own words: what the step does, which sentence of the HMM
 * document it carries out, and what holds because of it.
 */

import { MIGRATION, MIGRATION_TEXTS, type StepText } from "./texts-migration.ts";

// Headings of the HMM document, as Linux 6.12 has it.
const SHARED = "Shared address space and migration";
const MIRRORING = "Address space mirroring implementation and API";
const MEMORY = "Represent and manage device memory from core kernel point of view";
const EXCLUSIVE = "Exclusive access memory";

/** A kind of step. */
export type StepId = keyof typeof STEP_TEXTS;

/** The words, by kind of step. */
export const STEP_TEXTS = {
  begin: {
    section: SHARED,
    title: "A fresh world",
    call: "mmap, hmm_devmem_add, mmu_interval_notifier_insert",
    says:
      "The device uses the addresses of the process. It keeps a page table of its own, which mirrors " +
      "the CPU's, and asks to be told before the CPU's table changes.",
    keeps:
      "Where both tables let somebody reach a page, they lead to the same frame: the place in memory " +
      "where the page is.",
  },
  access: {
    section: SHARED,
    title: "The CPU touches memory",
    call: "handle_mm_fault",
    says:
      "A program uses its pointers as before. Where a page is missing, or lies on a device, the access " +
      "stops, a page fault brings the page in, and the same access is made again. The program does not " +
      "notice. The lab shows the steps of a fault only where a page lies on a device.",
    keeps: "The CPU reads what was written last, by whichever side.",
  },
  fork: {
    section: MEMORY,
    title: "The process forks",
    call: "fork",
    says:
      "Parent and child share every private page, read-only, until one of them writes. Pages on a " +
      "device are shared in the same way.",
    keeps: "Neither process can see what the other writes from now on.",
  },
  "mirror-child": {
    section: MIRRORING,
    title: "The driver mirrors the child",
    call: "mmu_interval_notifier_insert",
    says:
      "Each address space has a mirror of its own: the driver opens one for the child, with an " +
      "empty table.",
    keeps: "The device hears of the child's changes before it can use the child's addresses.",
  },
  mprotect: {
    section: MIRRORING,
    title: "The protection changes",
    call: "mprotect",
    says: "Every change of the CPU's table that concerns a mirrored range is announced before it is made.",
    keeps: "The device has no right to a page that the process does not have.",
  },
  munmap: {
    section: MIRRORING,
    title: "The mapping goes",
    call: "munmap",
    says: "Memory is unmapped only after the mirrors have let go of it, so a frame is never freed in use.",
    keeps: "No entry of any table names a free frame.",
  },
  discard: {
    section: MIRRORING,
    title: "The contents are given up",
    call: "madvise(MADV_DONTNEED)",
    says:
      "The program says that it no longer needs what the pages hold (madvise with MADV_DONTNEED). Its " +
      "addresses stay valid, and the frames go. Other threads and drivers keep working on the address " +
      "space meanwhile, so this can happen while a driver migrates or mirrors.",
    keeps: "The next access finds zeroes, on the CPU and on the device.",
  },
  pageout: {
    section: MIRRORING,
    title: "Pages are swapped out",
    call: "madvise(MADV_PAGEOUT)",
    says:
      "Reclaim treats mirrored pages like any other: the device is told, and the contents go to " +
      "swap space.",
    keeps: "A swapped page is in neither table. Either side's next access brings it back.",
  },
  hugepage: {
    section: null,
    title: "Large folios are asked for",
    call: "madvise(MADV_HUGEPAGE)",
    says: "From now on, a first write may bring in several pages as one folio: here 16 KiB, four pages.",
    keeps: "A large folio is one unit for counting and locking, and four entries in the tables.",
  },
  pin: {
    section: MIGRATION,
    title: "Pages are pinned",
    call: "get_user_pages",
    says: "Somebody takes a reference on the pages, as a disk does that writes to them directly.",
    keeps: "A page with a reference that nobody can account for stays where it is.",
  },
  unpin: {
    section: MIGRATION,
    title: "Pages are unpinned",
    call: "unpin_user_pages",
    says: "The references are dropped again.",
    keeps: "The page may move once every reference is accounted for.",
  },
  "read-begin": {
    section: MIRRORING,
    title: "Take the sequence number",
    call: "mmu_interval_read_begin",
    says:
      "Before the driver looks at the CPU's table, it notes the number of the last change of the range " +
      "that was announced to it. The process counts every change at its beginning and at its end, so " +
      "its counter is one further between changes. If a change is under way, the driver waits until " +
      "that is over.",
    keeps: "A change from here on will be noticed.",
    otherwise:
      "Without the number, the driver cannot tell a page that it has just read about from one that was " +
      "freed since.",
  },
  "range-fault": {
    section: MIRRORING,
    title: "Walk the CPU's table",
    call: "hmm_range_fault",
    says:
      "HMM walks the table for the driver and faults in what is missing, as if the CPU had touched it. " +
      "The answer is a value for each page: in which frame (place in memory) it lies, and whether it " +
      "may be written.",
    keeps: "The answer was true at some moment since the number was taken. It may be over already.",
    otherwise:
      "Without it, the driver would not know in which frame a page lies, or would find nothing for a " +
      "page that was never touched.",
  },
  upgrade: {
    section: MIRRORING,
    title: "Make the page writable",
    call: "handle_mm_fault",
    says:
      "If the page lies in the device's own memory and is read-only, after a fork for example, the " +
      "walk does not make it writable. So the driver takes a write fault in the CPU's name, which " +
      "gives this process a copy of its own.",
    keeps: "A device never writes to a page that another process shares.",
  },
  lock: {
    section: MIRRORING,
    title: "Take the driver's lock",
    call: "driver->update lock",
    says:
      "The callback takes the same lock. From here on until the lock is released, no invalidation can " +
      "pass between the question whether the answer is still true and the update of the table.",
    keeps: "The question and the update are one step for everybody else.",
    otherwise:
      "Without it, the page may go between the question and the update, and the device keeps an entry " +
      "for a freed frame.",
  },
  retry: {
    section: MIRRORING,
    title: "Has the range changed?",
    call: "mmu_interval_read_retry",
    says:
      "The driver compares the number with the one that it noted. If they differ, what it has read may " +
      "be a page that is gone: it throws the answer away and starts again.",
    keeps: "Only an answer that is still true gets into the device's table.",
    otherwise:
      "Without it, the device may get an entry for a frame that is somebody else's by now. Nobody will " +
      "tell it to forget that entry: the callback for the change has already run. That is why the " +
      "driver has to loop.",
  },
  map: {
    section: MIRRORING,
    title: "Enter the pages in the device's table",
    call: "driver: update page table",
    says: "Now the driver may fill its own table from the answer, and releases its lock.",
    keeps:
      "The device's entry leads to the page that the CPU's table leads to, because the driver has " +
      "asked under its lock.",
    otherwise: "Without it, the device would fault on this page again and again.",
  },
  "device-access": {
    section: SHARED,
    title: "The device touches memory",
    call: "device load or store",
    says:
      "The device uses the same pointer through its own table. If the table has no entry that allows " +
      "the access, the device faults, and its driver has to mirror the page first.",
    keeps: "The device reads what was written last, by whichever side.",
  },
  ...MIGRATION_TEXTS,
  exclusive: {
    section: EXCLUSIVE,
    title: "Make the page exclusive to the device",
    call: "make_device_exclusive",
    says:
      "For atomic operations the device needs the page for itself, though it stays in system memory. " +
      "The CPU's entry becomes an exclusive one, which makes the CPU fault: its next access takes the " +
      "page back, after the driver's callback.",
    keeps: "While the device has the page exclusively, no CPU can reach it.",
  },
  notify: {
    section: MIRRORING,
    title: "The driver is told, and drops its entries",
    call: "mmu_interval_notifier_ops.invalidate",
    says:
      "Before the CPU's entries change, the driver's callback runs. It takes the driver's lock, notes " +
      "the new number of the change, and makes the device forget the range before it returns. Until " +
      "the change is over, whoever begins to read waits.",
    keeps: "The device cannot use an entry that is about to become wrong. Readers in between will retry.",
    otherwise: "Without it, the device goes on using a frame that is about to be freed.",
  },
  "notify-late": {
    section: MIRRORING,
    title: "The driver is told, and only notes it",
    call: "mmu_interval_notifier_ops.invalidate",
    says: "This driver breaks the rule: it returns before the device has forgotten the range.",
    keeps: "Nothing: from here on the device may use a page that is no longer the process's.",
  },
  "device-fault": {
    section: MEMORY,
    title: "The CPU met a page on the device",
    call: "dev_pagemap_ops.migrate_to_ram",
    says:
      "The CPU cannot reach the device's memory, so its access stops in a page fault. The fault keeps " +
      "the list of mappings from changing (mmap_sem for read: others may read the list too), locks the " +
      "page, and takes a reference, which keeps the frame from being freed. Then it asks the driver to " +
      "bring the page back, by the same migration in the other direction: the steps that follow.",
    keeps: "Only one CPU has the page brought back; the others wait for its lock.",
    otherwise:
      "Without it, the program would get an error for its own page. Without the lock, two CPUs could " +
      "bring the same page back to two places.",
  },
} as const satisfies Record<string, StepText>;
