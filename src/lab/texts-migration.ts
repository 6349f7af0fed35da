/** What the lab says of the steps of a migration, in the project's own words. texts.ts has the others. */

/** The words for a kind of step. */
export interface StepText {
  /** What happens, in a few words. */
  readonly title: string;
  /** The call that does it, as the kernel's documentation names it. */
  readonly call: string;
  /** The section of the HMM document (Documentation/mm/hmm.rst) that the step is about; null: none. */
  readonly section: string | null;
  /** What the HMM document says that this step carries out. */
  readonly says: string;
  /** What holds because of this step. */
  readonly keeps: string;
  /** What could go wrong without it. */
  readonly otherwise?: string;
}

/** The heading of the HMM document on migration. */
export const MIGRATION = "Migration to and from device memory";

/** The words, by kind of step. */
export const MIGRATION_TEXTS = {
  sem: {
    section: MIGRATION,
    title: "Hold the mappings still",
    call: "mmap_read_lock",
    says:
      "The driver takes mmap_sem for read: while it migrates, no mapping appears, goes, or is " + "split.",
    keeps: "The range lies in one mapping until the pages have moved. Contents may still be discarded.",
    otherwise:
      "Without it, munmap or mremap could take the range away in the middle, and the pages would have " +
      "no entry to come back to.",
  },
  setup: {
    section: MIGRATION,
    title: "Collect, lock and unmap",
    call: "migrate_vma_setup",
    says:
      "HMM tells every driver that mirrors the range. Then it locks each page that can move, and " +
      "replaces every mapping of it by a migration entry: a mark that says that the page is moving. " +
      "The steps below show this in two parts.",
    keeps:
      "No page table leads to the pages, so no program and no device can change them. Whoever " +
      "touches one waits.",
    otherwise:
      "Without it, a program could write to the old frame after the copy was made, and the write would " +
      "be lost.",
  },
  collected: {
    section: MIGRATION,
    title: "Collected: this process's entries are migration entries",
    call: "migrate_vma_collect",
    says:
      "The walk has locked each page that can move, and put a migration entry in the place of its " +
      "entry. The entry counted as one user of the page; the migration holds that count now. Pages " +
      "that cannot move were left as they are.",
    keeps: "Only one migration can hold a page's lock, so nobody else moves or frees the page.",
    otherwise: "Without the lock, two migrations could move the same page to two places.",
  },
  unmapped: {
    section: MIGRATION,
    title: "Unmapped: nobody else maps the pages",
    call: "migrate_vma_unmap",
    says:
      "Other mappings of the pages, in a child for example, got migration entries too. If a page " +
      "has more users than its mappings and this migration, somebody else uses it, a disk for " +
      "example: it is about to be put back.",
    keeps: "A page moves only if every reference to it is accounted for.",
    otherwise:
      "Without it, another process, or a disk that writes to the page, would go on using the old frame " +
      "after it was freed.",
  },
  alloc: {
    section: MIGRATION,
    title: "Allocate the destinations",
    call: "driver: alloc_and_copy",
    says:
      "HMM and the driver share two lists with a place for each page: src, where the page is, and " +
      "dst, where it goes. The driver allocates a locked frame for each page that can move and " +
      "writes it to dst. A page without one stays where it is: a full device is no error.",
    keeps: "A destination belongs to the migration alone until it is finished.",
    otherwise: "Without the lock, somebody could find the new frame and use it before it has its contents.",
  },
  copy: {
    section: MIGRATION,
    title: "Copy the contents",
    call: "driver: alloc_and_copy",
    says:
      "The driver copies each page, usually by the device's copy engine. The source is unmapped and " +
      "locked, so it holds still.",
    keeps: "Both frames have the same contents, and the source remains good until the end.",
    otherwise: "Without it, the program would find what the device's frame held before.",
  },
  pages: {
    section: MIGRATION,
    title: "The destination becomes the page",
    call: "migrate_vma_pages",
    says:
      "HMM moves what it knows of each page (mapping, index, flags, charge) to its destination. A " +
      "page without a destination stays, and so does one that somebody who does not use page tables " +
      "took a reference to meanwhile: its MIGRATE mark in src is cleared.",
    keeps: "Each page is decided: it has moved, or it will get its old entry back.",
    otherwise: "Without it, rmap, fork and accounting would still hold the old frame for the page.",
  },
  "map-migrated": {
    section: MIGRATION,
    title: "Map the pages on the device",
    call: "driver: update page table",
    says:
      "Before the migration entries are replaced, the driver enters the pages that moved in its own " +
      "table. A page that the program discarded meanwhile has no migration entry any more, and is " +
      "left out.",
    keeps: "The device's table names a page only if the CPU's will.",
    otherwise:
      "Without it, the device's next access costs a fault, though the page is there already. Done " +
      "later, it could enter a page that the CPU has taken back.",
  },
  finalize: {
    section: MIGRATION,
    title: "Finish: entries name the pages where they are",
    call: "migrate_vma_finalize",
    says:
      "Every migration entry is replaced: by a device entry, which says that the page lies on the " +
      "device and makes the CPU fault, by a normal one if the page came to system memory, or by the " +
      "old one if it stayed. The mirrors were told at the beginning, and nobody could reach the " +
      "pages since, so nobody is told now. The frame that is not needed any more is freed, the pages " +
      "are unlocked, and whoever waited goes on.",
    keeps: "Each page has one frame, each entry names it, and rss and charge are as before.",
    otherwise: "Without it, whoever touches one of the pages waits for ever, and both frames stay in use.",
  },
  "evict-setup": {
    section: MIGRATION,
    title: "Collect by the device's frames",
    call: "migrate_device_range",
    says:
      "To make room, the driver names frames of its own instead of addresses. HMM finds every " +
      "mapping of them, in any process, and replaces it by a migration entry.",
    keeps: "The pages move for every process that maps them.",
  },
} as const satisfies Record<string, StepText>;
