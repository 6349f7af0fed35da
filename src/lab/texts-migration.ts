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
      "A program's mappings are the ranges of addresses that it may use. The driver takes mmap_sem, " +
      "the lock of their list, for read: several may read the list at once, but nobody can add, " +
      "remove, split or move a range until the driver lets go at the end.",
    keeps:
      "The range of addresses stays the program's until the pages have moved. What the pages hold may " +
      "still be given up.",
    otherwise:
      "Without it, the program could unmap or move the range (munmap, mremap) in the middle of the " +
      "migration, and the pages would have no address to come back to.",
  },
  setup: {
    section: MIGRATION,
    title: "The answer: which pages can move",
    call: "migrate_vma_setup",
    says:
      "The call migrate_vma_setup is over: the steps in which the drivers were told and the pages were " +
      "collected were its parts. What it adds is its answer, a list named src with a line for each " +
      "page: VALID if there is a page, MIGRATE if it can move, WRITE if the program may write to it, " +
      "and the frame where it is.",
    keeps:
      "No entry of any table lets somebody reach a page marked MIGRATE: no program and no device can " +
      "change it. Whoever touches one waits.",
    otherwise:
      "Without these steps, a program could write to the old frame after the copy was made, and the " +
      "write would be lost.",
  },
  collected: {
    section: MIGRATION,
    title: "Collect: lock the pages, and mark their entries",
    call: "migrate_vma_collect",
    says:
      "HMM goes through the process's table. It locks each page that can move, and replaces the page's " +
      "entry by a migration entry: a mark that says that the page is moving, which lets nobody reach " +
      "it. An entry keeps its frame from being freed; in its place, the migration does that now. Pages " +
      "that cannot move are left as they are.",
    keeps:
      "Only one can hold a page's lock, so nobody else moves or frees the page. A program that touches " +
      "it waits at the mark.",
    otherwise: "Without the lock, two migrations could move the same page to two places.",
  },
  unmapped: {
    section: MIGRATION,
    title: "Unmap: the other users of the pages",
    call: "migrate_vma_unmap",
    says:
      "Other processes that share the pages, a child after a fork for example, get migration entries " +
      "too. Then HMM counts each page's users. If there are more than it knows of, somebody uses the " +
      "page without a table, a disk for example: that page will stay, and gets its entry back.",
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
      "A second list, dst, says where each page goes. The driver allocates a locked frame of the " +
      "device's memory for each page that can move, and writes it to dst. A page without one stays " +
      "where it is: a full device is no error.",
    keeps: "A destination belongs to the migration alone until it is finished.",
    otherwise:
      "Without it, there is no place to copy to. The lock matters to code that goes through memory " +
      "frame by frame, without any table: it leaves a locked frame alone.",
  },
  copy: {
    section: MIGRATION,
    title: "Copy the contents",
    call: "driver: alloc_and_copy",
    says:
      "The driver copies each page from its frame in system memory to its frame on the device, usually " +
      "by the device's copy engine. Nobody can reach the source, so its contents hold still.",
    keeps: "Each new frame has the contents of the old one, and the old one remains good until the end.",
    otherwise: "Without it, the page would have on the device what the device's frame held before.",
  },
  pages: {
    section: MIGRATION,
    title: "The new frame becomes the page",
    call: "migrate_vma_pages",
    says:
      "A frame is only a place. What the system knows of the page that lies there (whose it is, at " +
      "which address, whether it was changed) moves from the old frame's record to the new one's: the " +
      "new frame is marked as program memory (anon) now. A page without a new frame stays. So does a " +
      "page of which somebody took hold meanwhile.",
    keeps: "Each page is decided: it has moved, or it will get its old entry back.",
    otherwise:
      "Without it, the system would still take the old frame for the page: a fork would share the " +
      "wrong one, and freeing it would free the page.",
  },
  "map-migrated": {
    section: MIGRATION,
    title: "Map the pages on the device",
    call: "driver: update page table",
    says:
      "The driver enters the new frames in the device's table, for the pages that have moved. The " +
      "device may use them from here on. It does so before the CPU's marks are replaced, so that no " +
      "CPU can take a page back in between. A page that the program gave up meanwhile has no mark any " +
      "more, and is left out.",
    keeps:
      "The device's entries lead to the new frames, which hold the pages. The CPU's entries are still " +
      "marks: the frame that a mark names is the old one, and nobody reaches it.",
    otherwise:
      "Without it, the device's next access costs a fault, though the page is there already. Done " +
      "later, it could enter a page that the CPU has taken back.",
  },
  finalize: {
    section: MIGRATION,
    title: "Finish: entries name the pages where they are",
    call: "migrate_vma_finalize",
    says:
      "HMM replaces every mark. If the page moved, the CPU's entry now says that the page is on the " +
      "device, and makes the CPU fault. If it stayed, it gets its old entry back. The device was told " +
      "to forget the old frames at the beginning, and what the driver has entered since is right " +
      "already, so nobody needs to be told now. The old frames are freed, the pages unlocked, mmap_sem " +
      "is let go, and whoever waited goes on.",
    keeps:
      "Each page that the program still has is in one frame, and its entries lead there. The move " +
      "itself leaves the counts of the process's memory as they were.",
    otherwise: "Without it, whoever touches one of the pages waits for ever, and both frames stay in use.",
  },
  "evict-setup": {
    section: MIGRATION,
    title: "Collect by the device's frames",
    call: "migrate_device_range",
    says:
      "To make room, the driver names frames of its own instead of addresses. HMM finds every mapping " +
      "of them, in any process, and replaces it by a migration entry.",
    keeps: "The pages move for every process that maps them.",
  },
} as const satisfies Record<string, StepText>;
