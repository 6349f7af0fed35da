/**
 * The kernel's own tests of HMM (tools/testing/selftests/mm/hmm-tests.c) that fit the lab's world, by their
 * names there and in our words (shared/scenarios.md, the table of the 38 tests). They are smaller: four pages
 * instead of 1024.
 */
import type { Scenario } from "./scenario.ts";

function test(name: string, text: string, operations: string, config?: Scenario["config"]): Scenario {
  const scenario = {
    name: name.replaceAll("_", "-"),
    title: name,
    group: "kernel tests",
    text,
    operations,
  } as const;
  return config === undefined ? scenario : { ...scenario, config };
}

/** The tests, in the kernel's order. */
export const KERNEL_TESTS: readonly Scenario[] = [
  test("anon_read", "The device reads holes, zero pages and written pages in one go.", "w2-3 ro0-3 r1 dr0-3"),
  test(
    "anon_read_prot",
    "The device may not read what the process may not read.",
    "w0-3 none0-3 dr0-3 ro0-3 r0",
  ),
  test(
    "anon_write",
    "The device writes to untouched memory: its driver faults the pages in for it.",
    "dw0-3 r0-3",
  ),
  test(
    "anon_write_prot",
    "The device may not write to read-only memory; after mprotect it may.",
    "ro0-3 dr0 dw0 rw0-3 dw0-3",
  ),
  test(
    "anon_write_child",
    "A child's device writes to pages that the parent migrated before: each keeps its own.",
    "w0-3 to0-3 fork dw0-3@2 r0-3 r0-3@2",
  ),
  test("migrate", "Four pages move to the device, which reads them there.", "w0-3 to0-3 dr0-3"),
  test(
    "migrate_fault",
    "The CPU reads half of the pages back, and the driver migrates all of them again.",
    "w0-3 to0-3 r0-1 to0-3 dr0-3",
  ),
  test(
    "migrate_release",
    "The driver gives all of its frames back: every page returns to system memory.",
    "w0-3 to0-3 evict r0-1",
  ),
  test(
    "migrate_multiple",
    "Round trips, twice: the device's frames are used again.",
    "w0-3 to0-3 r0-3 unmap0-1 w2-3 to2-3 r2-3",
  ),
  test(
    "anon_teardown",
    "Half of the range is unmapped while the device reads it.",
    "w0-3 dr0-1 unmap2-3 dr0-3",
  ),
  test(
    "double_map",
    "Two devices read the same pages; one migrates them, and the other's read pulls them off it.",
    "w0-3 ro0-3 dr0-3 dr0-3/2 to0-3/2 dr0-3",
    { devices: 2 },
  ),
  test(
    "exclusive",
    "The device has pages for atomic access. The CPU reads and writes, which takes them back.",
    "w0-3 excl0-3 r0-3 w0-3",
  ),
  test(
    "exclusive_mprotect",
    "Exclusive pages become read-only: the device's write is refused.",
    "w0-3 excl0-3 ro0-3 dw0-3",
  ),
  test(
    "exclusive_cow",
    "A fork takes exclusive pages back first; then parent and child write their own.",
    "w0-3 excl0-3 fork w0-3 w0-3@2",
  ),
  test("hmm_gup_test", "Pinning pages that lie on the device brings them back.", "w0-3 to0-3 pin0-3"),
  test(
    "hmm_cow_in_device",
    "Parent and child share pages on the device, and the parent writes to all of them.",
    "w0-3 to0-3 fork w0-3",
  ),
];
