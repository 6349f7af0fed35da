/** Where a page goes: the twelve rules of B4, in order. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CPU,
  nearestCopy,
  NOWHERE,
  pcie,
  type Topology,
} from "../../../../src/sim/driver/processor.ts";
import { selectResidency, type ResidencyQuery } from "../../../../src/sim/policies/residency.ts";

const GPU = 1;
/** Two devices on PCIe. */
const PCIE = pcie(2);
/** Two devices that map each other and RAM with native atomics, and whose memory the CPU maps, too. */
const COHERENT: Topology = { ...PCIE, maps: [7, 7, 7], atomics: [7, 7, 7], fast: [6, 5, 3] };

/** The device reads a page in RAM, without any advice. */
const PLAIN: ResidencyQuery = {
  faulter: GPU,
  access: ACCESS_READ,
  preferred: NOWHERE,
  accessedBy: 0,
  readMostly: false,
  resident: 1 << CPU,
  nearest: CPU,
  pin: NOWHERE,
  counter: false,
};

function select(query: Partial<ResidencyQuery>, topology = PCIE): [rule: number, where: number] {
  const { rule, where } = selectResidency({ ...PLAIN, ...query }, topology);
  return [rule, where];
}

const rules = suite("driver: residency");
rules("1: what must be in RAM goes there, whatever else holds", () => {
  assert.equal(select({ ramOnly: true, readMostly: true, preferred: GPU, pin: GPU }), [1, CPU]);
});
rules("2, 3: a page that may be read-duplicated goes to the faulter, for any access", () => {
  const advised = { readMostly: true, preferred: CPU, accessedBy: 2, pin: CPU };
  assert.equal(select(advised), [2, GPU]);
  assert.equal(select({ ...advised, access: ACCESS_PREFETCH }), [2, GPU]);
  assert.equal(select({ ...advised, access: ACCESS_WRITE }), [3, GPU]);
});
rules("4: a faulter that is the preferred location gets the page", () => {
  assert.equal(select({ preferred: GPU, pin: CPU, accessedBy: 2 }), [4, GPU]);
  assert.equal(select({ faulter: CPU, preferred: CPU, resident: 2, nearest: GPU, hmm: true }), [4, CPU]);
});
rules("5: a CPU fault on HMM memory stays in RAM", () => {
  assert.equal(select({ faulter: CPU, hmm: true, pin: GPU }), [5, CPU]);
  assert.equal(select({ faulter: CPU, hmm: false, pin: GPU }), [6, GPU]);
});
rules("6: a pin decides before anything that follows", () => {
  assert.equal(select({ pin: CPU, resident: 0, nearest: NOWHERE }), [6, CPU]);
  assert.equal(select({ pin: 2, accessedBy: 2 }), [6, 2]);
});
rules(
  "7: a page that nobody holds goes to the preferred location if the faulter maps it, else to the faulter",
  () => {
    const nowhere = { resident: 0, nearest: NOWHERE };
    assert.equal(select(nowhere), [7, GPU]);
    assert.equal(select({ ...nowhere, preferred: CPU }), [7, CPU]);
    assert.equal(select({ ...nowhere, faulter: CPU, preferred: GPU }), [7, CPU]);
    assert.equal(select({ ...nowhere, faulter: CPU, preferred: GPU }, COHERENT), [7, GPU]);
  },
);
rules(
  "8: for an accessed-by processor that maps the nearest copy it stays, but not for access counters",
  () => {
    assert.equal(select({ accessedBy: 1 << GPU }), [8, CPU]);
    assert.equal(select({ accessedBy: 1 << GPU, counter: true, access: ACCESS_PREFETCH }), [12, GPU]);
    assert.equal(select({ accessedBy: 1 << 2 }), [12, GPU]);
    // The CPU cannot map the device's copy.
    assert.equal(select({ faulter: CPU, accessedBy: 1 << CPU, resident: 2, nearest: GPU }), [12, CPU]);
  },
);
rules("9: native atomics to the copy keep it, if the option is on", () => {
  assert.equal(select({ access: ACCESS_WRITE, mapRemoteOnAtomics: true }, COHERENT), [9, CPU]);
  assert.equal(select({ access: ACCESS_WRITE, mapRemoteOnAtomics: true }), [12, GPU]);
  assert.equal(select({ access: ACCESS_WRITE }, COHERENT), [12, GPU]);
});
rules("10: a preferred location that the faulter maps gets the page, unless the faulter holds it", () => {
  assert.equal(select({ preferred: CPU }), [10, CPU]);
  assert.equal(select({ preferred: CPU, resident: 2, nearest: GPU }), [12, GPU]);
  assert.equal(select({ preferred: 2 }), [12, GPU]);
});
rules("11: a CPU fault from another process's space leaves the page where it is", () => {
  assert.equal(select({ faulter: CPU, resident: 2, nearest: GPU, otherMm: true }), [11, GPU]);
  assert.equal(select({ faulter: CPU, resident: 2, nearest: GPU }), [12, CPU]);
});
rules("12: else the page goes to the faulter", () => {
  assert.equal(select({}), [12, GPU]);
  assert.equal(select({ faulter: CPU, preferred: GPU, resident: 2, nearest: GPU }), [12, CPU]);
});
rules("the nearest copy is the own one, then one that can be mapped, devices before the CPU", () => {
  assert.is(nearestCopy(PCIE, GPU, 0b011), GPU);
  assert.is(nearestCopy(PCIE, GPU, 0b101), CPU, "another device's memory cannot be mapped");
  assert.is(nearestCopy(COHERENT, GPU, 0b101), 2);
  assert.is(nearestCopy(PCIE, GPU, 0b100), 2);
  assert.is(nearestCopy(PCIE, GPU, 0), NOWHERE);
});
rules.run();
