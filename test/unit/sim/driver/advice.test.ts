/** Advice: the derived table of B4 on x86 with PCIe, and its sentences about rights. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ADVISE } from "../../../../src/sim/driver/advise.ts";
import type { Machine } from "../../../../src/sim/driver/machine.ts";
import { CPU } from "../../../../src/sim/driver/processor.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import {
  RIGHTS_ATOMIC,
  RIGHTS_NONE,
  RIGHTS_READ,
  RIGHTS_WRITE,
} from "../../../../src/sim/policies/rights.ts";
import { access, BLOCK, LOAD, machine, PAGE, READ, STORE, sweep, WRITE } from "./machines.ts";
import { listOf } from "./pages.ts";

const GPU = 1;
const BASE = 0x40000000;
const ALL = [[0, 511]];

/** A machine with 512 pages in RAM, or on the device, and an advice about them. */
function prepared(where: "ram" | "device", advice: number, p = GPU, options = {}): Machine {
  const on = machine({ prefetcher: noPrefetcher, ...options });
  access(on, sweep(BASE, 512, where === "ram" ? WRITE : STORE));
  on.driver.advise(BASE, BLOCK, advice, p);
  return on;
}
/** Where page 0 is, and what the CPU and the device may do with it. */
function pageOf(on: Machine): { holders: number; rights: number[] } {
  const block = on.memory.block(BASE / BLOCK);
  return { holders: block.holders(0), rights: [CPU, GPU].map((p) => block.rightsOf(p, 0)) };
}
const PAGE0 = { address: BASE };
const [IN_RAM, ON_DEVICE, ON_BOTH] = [1, 2, 3];

const table = suite("driver: advice");
table("none: the page goes to who faults", () => {
  const on = machine({ prefetcher: noPrefetcher });
  access(on, [{ ...WRITE, ...PAGE0 }]);
  access(on, [{ ...LOAD, ...PAGE0 }]);
  assert.equal(pageOf(on), { holders: ON_DEVICE, rights: [RIGHTS_NONE, RIGHTS_ATOMIC] });
  access(on, [{ ...READ, ...PAGE0 }]);
  assert.equal(pageOf(on), { holders: IN_RAM, rights: [RIGHTS_ATOMIC, RIGHTS_NONE] });
});
table("preferred CPU: the page stays, and the device maps it; from the device it goes back", () => {
  const stays = prepared("ram", ADVISE.setPreferredLocation, CPU);
  access(stays, [{ ...LOAD, ...PAGE0 }]);
  assert.equal(pageOf(stays), { holders: IN_RAM, rights: [RIGHTS_ATOMIC, RIGHTS_WRITE] });
  assert.equal(stays.remote, { loads: 1, stores: 0, sectors: 1 });
  const back = prepared("device", ADVISE.setPreferredLocation, CPU);
  assert.is(pageOf(back).holders, ON_DEVICE, "it moves nothing");
  access(back, [{ ...READ, ...PAGE0 }]);
  assert.is(pageOf(back).holders, IN_RAM);
});
table("preferred device: first touch of a block fills it, and does not keep a CPU fault away", () => {
  const on = machine();
  on.driver.advise(BASE, BLOCK, ADVISE.setPreferredLocation, GPU);
  access(on, [{ ...LOAD, ...PAGE0 }]);
  assert.equal(listOf(on.memory.block(BASE / BLOCK).resident[GPU]), ALL);
  access(on, [{ ...READ, ...PAGE0 }]);
  // Rule 12: the CPU cannot map the device's page. Prefetch never goes away from a preferred location.
  assert.equal(listOf(on.memory.block(BASE / BLOCK).resident[CPU]), [[0, 0]]);
});
table("accessed by the device: mapped now and after each move, and never moved by its faults", () => {
  const on = prepared("ram", ADVISE.setAccessedBy);
  assert.equal(pageOf(on), { holders: IN_RAM, rights: [RIGHTS_ATOMIC, RIGHTS_WRITE] });
  access(on, sweep(BASE, 512, STORE));
  assert.is(on.counts.groups, 0);
  assert.is(on.remote.stores, 512);
  const away = prepared("device", ADVISE.setAccessedBy);
  access(away, [{ ...READ, ...PAGE0 }]);
  assert.equal(pageOf(away), { holders: IN_RAM, rights: [RIGHTS_ATOMIC, RIGHTS_WRITE] });
  away.driver.advise(BASE, BLOCK, ADVISE.unsetAccessedBy, GPU);
  assert.is(pageOf(away).rights[GPU], RIGHTS_WRITE, "unsetting leaves the map");
});
table("accessed by the device: access counters move the touched 64 KiB parts", () => {
  const on = prepared("ram", ADVISE.setAccessedBy, GPU, { counters: 256 });
  access(on, sweep(BASE, 256, STORE));
  // The 256th access notifies; parts 0 to 15 were touched.
  assert.equal(listOf(on.memory.block(BASE / BLOCK).resident[GPU]), [[0, 255]]);
  assert.is(on.counts.notifications, 1);
  assert.is(on.transfers.counts.toDevice.counter.count, 1);
  access(on, sweep(BASE, 256, STORE));
  assert.is(on.remote.stores, 256, "what has moved is no longer remote");
});
table("read-mostly: all rights become to read, a device's read copies, and a write leaves one copy", () => {
  for (const writer of [STORE, WRITE]) {
    const on = prepared("ram", ADVISE.setReadMostly);
    assert.equal(pageOf(on), { holders: IN_RAM, rights: [RIGHTS_READ, RIGHTS_NONE] });
    assert.is(on.transfers.total("toDevice").count, 0);
    access(on, [{ ...LOAD, ...PAGE0 }]);
    assert.equal(pageOf(on), { holders: ON_BOTH, rights: [RIGHTS_READ, RIGHTS_READ] });
    access(on, [{ ...writer, ...PAGE0 }]);
    assert.is(pageOf(on).holders, writer === STORE ? ON_DEVICE : IN_RAM);
    assert.is(on.transfers.total("toDevice").count, 1, "the copy is there already");
    assert.is(on.transfers.total("toHost").count, 0);
  }
});
table("read-mostly: a CPU read of a device's page copies it", () => {
  const on = prepared("device", ADVISE.setReadMostly);
  access(on, [{ ...READ, ...PAGE0 }]);
  assert.equal(pageOf(on), { holders: ON_BOTH, rights: [RIGHTS_READ, RIGHTS_READ] });
});
table("unset read-mostly leaves the preferred location's copy, else the CPU's", () => {
  for (const preferred of [null, GPU]) {
    const on = prepared("ram", ADVISE.setReadMostly);
    access(on, [{ ...LOAD, ...PAGE0 }]);
    if (preferred !== null) on.driver.advise(BASE, BLOCK, ADVISE.setPreferredLocation, preferred);
    on.driver.advise(BASE, BLOCK, ADVISE.unsetReadMostly, CPU);
    assert.is(pageOf(on).holders, preferred === null ? IN_RAM : ON_DEVICE);
  }
});
table("a device's atomic takes the CPU's right to write a page that stays", () => {
  const on = prepared("ram", ADVISE.setPreferredLocation, CPU);
  on.memory.block(BASE / BLOCK); // the writer has no kind for atomics: 4 is the bit of the record
  const words = new Uint32Array([BASE, 4 << 16, 1 | 4 | (1 << 8), 0]);
  on.run(words, 1);
  on.drain();
  assert.equal(pageOf(on), { holders: IN_RAM, rights: [RIGHTS_READ, RIGHTS_ATOMIC] });
  access(on, [{ ...WRITE, ...PAGE0 }]);
  assert.equal(pageOf(on), { holders: IN_RAM, rights: [RIGHTS_ATOMIC, RIGHTS_WRITE] });
});
table("prefetch by the program moves and makes pages, whatever is preferred, as transfers of its own", () => {
  const on = machine();
  access(on, sweep(BASE, 16, WRITE));
  on.driver.advise(BASE, BLOCK, ADVISE.setPreferredLocation, CPU);
  on.driver.migrate(BASE + 8 * PAGE, 16 * PAGE, GPU);
  assert.equal(listOf(on.memory.block(BASE / BLOCK).resident[GPU]), [[8, 23]]);
  assert.equal(on.transfers.counts.toDevice.migrate.sizes, { 32: 1 });
  access(on, sweep(BASE + 8 * PAGE, 16, STORE));
  assert.is(on.counts.groups, 0);
});
table("advice for a range is that of each block in which it has a byte", () => {
  const on = machine();
  on.driver.advise(BASE + BLOCK - 1, 2, ADVISE.setPreferredLocation, GPU);
  const preferred = [0, 1, 2].map((i) => on.memory.block(BASE / BLOCK + i).preferred);
  assert.equal(preferred, [GPU, GPU, -1]);
});
table("advice for memory of any size holds for blocks that are made later", () => {
  const on = machine();
  on.driver.advise(0, 2 ** 47, ADVISE.setPreferredLocation, CPU);
  access(on, [{ ...LOAD, ...PAGE0 }]);
  assert.is(pageOf(on).holders, IN_RAM);
  assert.is([...on.memory.blocks].length, 1);
});
table.run();
