/**
 * The kernel's own HMM tests and the scenarios E01 to E80 that have no test, and the parts of scenarios that
 * their tests leave out. docs/linux.md shows the same rows; beyond-coverage.test.ts compares the two.
 */

/** The kernel's own tests, in the kernel's order. */
export const KERNEL_TESTS = [
  "open_close",
  "anon_read",
  "anon_read_prot",
  "anon_write",
  "anon_write_prot",
  "anon_write_child",
  "anon_write_child_shared",
  "anon_write_huge",
  "anon_write_hugetlbfs",
  "file_read",
  "file_write",
  "migrate",
  "migrate_fault",
  "migrate_release",
  "migrate_shared",
  "migrate_mixed",
  "migrate_multiple",
  "anon_read_multiple",
  "anon_teardown",
  "mixedmap",
  "snapshot",
  "compound",
  "double_map",
  "exclusive",
  "exclusive_mprotect",
  "exclusive_cow",
  "hmm_gup_test",
  "hmm_cow_in_device",
  "migrate_anon_huge_empty",
  "migrate_anon_huge_zero",
  "migrate_anon_huge_free",
  "migrate_anon_huge_fault",
  "migrate_partial_unmap_fault",
  "migrate_remap_fault",
  "migrate_anon_huge_err",
  "migrate_anon_huge_zero_err",
  "benchmark_thp_migration",
  "userfaultfd_read",
];

export interface KernelTestWithoutTest {
  name: string;
  kind: "not applicable" | "not built yet";
  reason: string;
}

export const KERNEL_TESTS_WITHOUT_TEST: readonly KernelTestWithoutTest[] = [
  {
    name: "userfaultfd_read",
    kind: "not applicable",
    reason: "no handler can fill a missing page: userfaultfd has the SIGBUS feature only",
  },
];

export interface WithoutTest {
  number: number;
  kind: "not applicable" | "not built yet";
  reason: string;
}

export const WITHOUT_TEST: readonly WithoutTest[] = [
  {
    number: 12,
    kind: "not applicable",
    reason: "every event may block: there is no OOM reaper, and a callback cannot refuse",
  },
  {
    number: 18,
    kind: "not applicable",
    reason: "two-pass notifiers (2026) are newer than the modeled kernel",
  },
  {
    number: 23,
    kind: "not applicable",
    reason: "a slot cannot request its own device page: only the words of 2018 could",
  },
  { number: 27, kind: "not built yet", reason: "needs guard regions and poison markers" },
  { number: 29, kind: "not applicable", reason: "there is one node, and there are no NUMA hinting faults" },
  { number: 32, kind: "not built yet", reason: "needs pages of 1 GiB" },
  { number: 34, kind: "not applicable", reason: "words of 32 bits have no sticky bits" },
  {
    number: 37,
    kind: "not applicable",
    reason: "there are no fatal signals, and no fault takes the lock itself",
  },
  { number: 42, kind: "not applicable", reason: "there are no per-CPU caches that could hold a page" },
  { number: 55, kind: "not built yet", reason: "needs soft-dirty tracking and userfaultfd write protection" },
  {
    number: 74,
    kind: "not applicable",
    reason: "devmem comes from the engine's own frames: there are no resources to add",
  },
];

/** The parts of scenarios that their tests leave out. */
export const LEFT_OUT: readonly WithoutTest[] = [
  {
    number: 36,
    kind: "not applicable",
    reason: "the call that takes the lock itself and waits for a handler",
  },
  { number: 38, kind: "not applicable", reason: "files on DAX" },
  {
    number: 73,
    kind: "not applicable",
    reason: "ERANGE, EBUSY and ENXIO: a full device memory is ENOMEM, and nothing else can collide",
  },
];
