/** A process and a device whose copies finish when the test says so. */
import * as assert from "uvu/assert";
import {
  Hmm,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  type MigrateResult,
  type Mm,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";
import { onEachBuild } from "./builds.ts";

/** Pages of the process. */
export const N = 16;

export interface Fixture {
  hmm: Hmm;
  mm: Mm;
  device: DelayedDevice;
  /** Address of N pages, page i filled with i + 1. */
  addr: number;
}

type Body = (fixture: Fixture) => Promise<void>;

/** Scenarios. Each runs on a fresh fixture and on both builds; at the end nothing may be in use. */
export class AsyncScenarios {
  readonly #bodies: [name: string, body: Body][] = [];

  readonly add = (name: string, body: Body): void => {
    this.#bodies.push([name, body]);
  };

  run(suite: string): void {
    onEachBuild(suite, (test, module) => {
      for (const [name, body] of this.#bodies) test(name, () => runScenario(module, body));
    }).run();
  }
}

async function runScenario(module: WebAssembly.Module, body: Body): Promise<void> {
  const hmm = Hmm.createSync(module, { systemMemory: 4 << 20, deviceMemory: 4 << 20 });
  const free = hmm.freePages;
  const device = new DelayedDevice(hmm, { memory: 2 << 20 });
  const { mm, addr } = makeProcess(hmm);
  await body({ hmm, mm, device, addr });
  hmm.verify();
  for (const each of hmm.mms()) each.close();
  assert.is(device.devmem.usedPages, 0);
  device.close();
  assert.is(hmm.freePages, free);
  hmm.verify();
}

export function makeProcess(hmm: Hmm): { mm: Mm; addr: number } {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: N * PAGE_SIZE });
  for (let i = 0; i < N; i++) mm.write(addr + i * PAGE_SIZE, page(i + 1));
  return { mm, addr };
}

export function page(byte: number): Uint8Array {
  return new Uint8Array(PAGE_SIZE).fill(byte);
}

/**
 * Migrates to the device as a user's driver would. Pages are locked from setup until the copy is complete.
 */
export async function toDevice(
  device: DelayedDevice,
  mm: Mm,
  start: number,
  end: number,
): Promise<MigrateResult> {
  using _sem = await mm.mmapSem.readAsync("toDevice");
  const vma = mm.findVma(start);
  using m = migrateVmaSetup({ vma, start, end, owner: device, select: MIGRATE_VMA_SELECT_SYSTEM });
  device.devmem.allocPages(m.src, m.dst);
  await device.dma(m.src, m.dst, "to device");
  m.pages();
  return m.result;
}

export async function toSystem(
  device: DelayedDevice,
  mm: Mm,
  start: number,
  end: number,
): Promise<MigrateResult> {
  using _sem = await mm.mmapSem.readAsync("toSystem");
  const vma = mm.findVma(start);
  using m = migrateVmaSetup({ vma, start, end, owner: device, select: MIGRATE_VMA_SELECT_DEVICE_PRIVATE });
  device.hmm.allocPages(m.src, m.dst);
  await device.dma(m.src, m.dst, "to system");
  m.pages();
  return m.result;
}

/** Moves the first npages pages to the device. */
export async function migrated({ device, mm, addr }: Fixture, npages = N): Promise<void> {
  const result = await device.settle(toDevice(device, mm, addr, addr + npages * PAGE_SIZE));
  assert.is(result.moved, npages);
}

/** Whether a promise has settled. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  await new Promise((resolve) => setTimeout(resolve, 1));
  return (await Promise.race([promise.catch(() => null), Promise.resolve(pending)])) !== pending;
}
