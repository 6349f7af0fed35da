/** The rights of mappings: each sentence of B4's "Rights". */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ACCESS_ATOMIC_STRONG,
  ACCESS_ATOMIC_WEAK,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CPU,
  pcie,
} from "../../../../src/sim/driver/processor.ts";
import {
  RIGHTS_ATOMIC,
  RIGHTS_NONE,
  RIGHTS_READ,
  RIGHTS_WRITE,
  rightsGiven,
  rightsKept,
  rightsNeeded,
} from "../../../../src/sim/policies/rights.ts";

const GPU = 1;
const PCIE = pcie(1);

const test = suite("driver: rights");
test("a write of the CPU counts as an atomic; a device's does not", () => {
  assert.is(rightsNeeded(CPU, ACCESS_WRITE), RIGHTS_ATOMIC);
  assert.is(rightsNeeded(GPU, ACCESS_WRITE), RIGHTS_WRITE);
  for (const access of [ACCESS_ATOMIC_WEAK, ACCESS_ATOMIC_STRONG])
    assert.is(rightsNeeded(GPU, access), RIGHTS_ATOMIC);
  for (const p of [CPU, GPU])
    for (const access of [ACCESS_PREFETCH, ACCESS_READ]) assert.is(rightsNeeded(p, access), RIGHTS_READ);
});
test("a read maps for writing, and for atomics that are native to the copy", () => {
  const query = { p: GPU, readMostly: false, foreignAtomics: false };
  assert.is(rightsGiven(ACCESS_READ, { ...query, owner: CPU }, PCIE), RIGHTS_WRITE);
  assert.is(rightsGiven(ACCESS_READ, { ...query, owner: GPU }, PCIE), RIGHTS_ATOMIC);
  assert.is(rightsGiven(ACCESS_WRITE, { ...query, owner: GPU }, PCIE), RIGHTS_ATOMIC);
  assert.is(rightsGiven(ACCESS_ATOMIC_STRONG, { ...query, owner: CPU }, PCIE), RIGHTS_ATOMIC);
});
test("a read maps for reading only where pages may be duplicated, or another has foreign atomics", () => {
  const query = { p: GPU, owner: GPU, readMostly: false, foreignAtomics: false };
  assert.is(rightsGiven(ACCESS_READ, { ...query, readMostly: true }, PCIE), RIGHTS_READ);
  assert.is(rightsGiven(ACCESS_READ, { ...query, foreignAtomics: true }, PCIE), RIGHTS_READ);
  assert.is(rightsGiven(ACCESS_WRITE, { ...query, readMostly: true }, PCIE), RIGHTS_ATOMIC);
});
test("a device's write takes foreign atomics of others, its atomic takes their writes", () => {
  const two = pcie(2);
  const kept = (p: number, faulter: number, access: number): number =>
    rightsKept({ p, rights: RIGHTS_ATOMIC }, faulter, access, CPU, two);
  assert.is(kept(2, GPU, ACCESS_WRITE), RIGHTS_WRITE);
  assert.is(kept(CPU, GPU, ACCESS_WRITE), RIGHTS_ATOMIC, "the CPU's are native to RAM");
  assert.is(kept(2, GPU, ACCESS_ATOMIC_STRONG), RIGHTS_READ);
  assert.is(kept(CPU, GPU, ACCESS_ATOMIC_STRONG), RIGHTS_READ);
  assert.is(kept(GPU, CPU, ACCESS_WRITE), RIGHTS_WRITE);
  assert.is(kept(GPU, CPU, ACCESS_READ), RIGHTS_ATOMIC);
  assert.is(rightsKept({ p: 2, rights: RIGHTS_NONE }, GPU, ACCESS_WRITE, CPU, two), RIGHTS_NONE);
});
test.run();
