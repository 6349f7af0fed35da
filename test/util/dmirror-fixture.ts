/**
 * Two devices and a process with a mirror on each: the fixture of the kernel's self-tests and of Dmirror's
 * tests.
 */
import * as assert from "uvu/assert";
import { Dmirror, DmirrorDevice, type DmirrorResult } from "../../src/dmirror.ts";
import { Hmm, PAGE_SIZE, type HmmConfig, type Mm } from "../../src/index.ts";
import { onEachBuild } from "./builds.ts";

/** Pages of a buffer. */
export const N = 96;
export const BYTES = N * PAGE_SIZE;

export interface Fixture {
  hmm: Hmm;
  mm: Mm;
  devices: [DmirrorDevice, DmirrorDevice];
  /** Mirrors of mm on the two devices. */
  mirrors: [Dmirror, Dmirror];
  /** Whether the devices' memory is coherent. */
  coherent: boolean;
}

/** Sizes of a fixture's memories in bytes. */
interface Sizes {
  systemMemory: number;
  deviceMemory: number;
  /** Memory of each of the two devices. */
  perDevice: number;
}

const SMALL: Sizes = { systemMemory: 8 << 20, deviceMemory: 12 << 20, perDevice: 4 << 20 };

/**
 * Scenarios. Each runs on a fresh fixture and on both builds; at the end verify() holds and nothing is in
 * use.
 */
export class Scenarios {
  readonly #scenarios: [name: string, body: (fixture: Fixture) => void, config: HmmConfig][] = [];
  readonly #sizes: Sizes;

  constructor(sizes = SMALL) {
    this.#sizes = sizes;
  }

  readonly add = (name: string, body: (fixture: Fixture) => void, config: HmmConfig = {}): void => {
    this.#scenarios.push([name, body, config]);
  };

  /** @param variants whether the devices' memory is coherent, for each run */
  run(suite: string, variants: readonly boolean[] = [false]): void {
    onEachBuild(suite, (test, module) => {
      for (const coherent of variants) {
        const kind = coherent ? ", coherent" : "";
        for (const [name, body, config] of this.#scenarios)
          test(name + kind, () => runScenario(module, { ...this.#sizes, ...config }, coherent, body));
      }
    }).run();
  }
}

function runScenario(
  module: WebAssembly.Module,
  sizes: Sizes & HmmConfig,
  coherent: boolean,
  body: (fixture: Fixture) => void,
): void {
  const { perDevice, ...config } = sizes;
  const hmm = Hmm.createSync(module, config);
  const free = hmm.freePages;
  const device = (): DmirrorDevice => new DmirrorDevice(hmm, { memory: perDevice, coherent });
  const devices: [DmirrorDevice, DmirrorDevice] = [device(), device()];
  const mm = hmm.createMm();
  const mirrors: [Dmirror, Dmirror] = [
    new Dmirror(mm, { device: devices[0] }),
    new Dmirror(mm, { device: devices[1] }),
  ];
  body({ hmm, mm, devices, mirrors, coherent });
  hmm.verify();
  for (const each of hmm.mms()) each.close();
  for (const mirror of mirrors) mirror.close();
  for (const { devmem } of devices) assert.is(devmem.usedPages, 0, "device pages are left in use");
  assert.is(hmm.freePages, free, "system pages are left in use");
  for (const each of devices) each.close();
  hmm.verify();
}

/** Returns the bytes of n pages whose word i is f(i). */
export function words(npages: number, f: (i: number) => number = (i) => i): Uint8Array {
  const array = new Uint32Array((npages * PAGE_SIZE) / 4);
  for (let i = 0; i < array.length; i++) array[i] = f(i);
  return new Uint8Array(array.buffer);
}

/** Makes a mapping whose word i is i. */
export function buffer(mm: Mm, npages = N): number {
  const addr = mm.mmap({ length: npages * PAGE_SIZE });
  mm.write(addr, words(npages));
  return addr;
}

export function same(got: Uint8Array | undefined, expected: Uint8Array, what = "bytes differ"): void {
  assert.ok(got !== undefined && Buffer.compare(got, expected) === 0, what);
}

export function result({
  ret,
  cpages,
  faults,
}: DmirrorResult): [ret: number, cpages: number, faults: number] {
  return [ret, cpages, faults];
}

export function snapshot(mirror: Dmirror, addr: number, npages: number): number[] {
  const { ret, cpages, data } = mirror.snapshot(addr, npages);
  assert.equal([ret, cpages], [0, npages]);
  return [...data!];
}
