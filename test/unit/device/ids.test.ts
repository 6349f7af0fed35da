/** Ids: the stable names by which snapshots know mirrors, devices' memories and notifiers. */
import * as assert from "uvu/assert";
import {
  hmmDevmemAdd,
  hmmDevmemRemove,
  HmmMirror,
  hmmMirrorRegister,
  MmuIntervalNotifier,
  PAGE_SIZE,
  VM_FAULT_SIGBUS,
  type Hmm,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, MIB } from "../../util/driver.ts";

interface Named {
  readonly id: string;
  close(): void;
}

/** How an object of each kind is made with an id. */
const KINDS: Record<string, (hmm: Hmm, mm: Mm, id?: string) => Named> = {
  mirror: (_hmm, mm, id) => {
    const mirror = new HmmMirror({ update: () => undefined }, { id });
    hmmMirrorRegister(mirror, mm);
    return mirror;
  },
  notifier: (_hmm, mm, id) => new MmuIntervalNotifier(mm, 0, PAGE_SIZE, { invalidate: () => true }, { id }),
  devmem: (hmm, _mm, id) => {
    const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, "owner", 2 * MIB, { id });
    return { id: devmem.id, close: () => void hmmDevmemRemove(devmem) };
  },
};

onEachBuild("ids", (test, module) => {
  for (const [kind, make] of Object.entries(KINDS)) {
    test(`two open objects of one id are refused: ${kind}`, () => {
      const hmm = makeHmm(module);
      const [mm, other] = [hmm.createMm(), hmm.createMm()];
      const first = make(hmm, mm, "gpu");
      const open = (): number => hmm.notifiers().length + hmm.devmems().length + hmm.mirrors().length;
      const error = errorOf(() => make(hmm, other, "gpu"));
      assert.instance(error, RangeError);
      assert.match(
        error!.message,
        new RegExp(`id must be one that no other ${kind} of the engine has, got "gpu"`),
      );
      assert.is(open(), 1);
      first.close();
      assert.is(make(hmm, other, "gpu").id, "gpu");
      // Another engine has names of its own.
      const second = makeHmm(module);
      assert.is(make(second, second.createMm(), "gpu").id, "gpu");
    });

    test(`default ids leave out those that are taken: ${kind}`, () => {
      const hmm = makeHmm(module);
      const mm = hmm.createMm();
      make(hmm, mm, `${kind}1`);
      assert.is(make(hmm, mm).id, `${kind}2`);
      assert.is(make(hmm, mm).id, `${kind}3`);
    });
  }

  test("an mm that closes gives the ids of its mirrors and notifiers back", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    for (const kind of ["mirror", "notifier"]) KINDS[kind](hmm, mm, "gpu");
    mm.close();
    const other = hmm.createMm();
    for (const kind of ["mirror", "notifier"]) assert.is(KINDS[kind](hmm, other, "gpu").id, "gpu");
  });
}).run();
