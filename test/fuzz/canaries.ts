/** Ways to break the reference model: a fuzzer that does not notice them would not notice a broken engine either. */
import { Mirror } from "../util/model/mirror.ts";
import { Mm } from "../util/model/mm.ts";
import { Content } from "../util/model/page.ts";
import { AnonVma, VmaList } from "../util/model/vma.ts";
import { World } from "../util/model/world.ts";

/** Runs its argument while the model is broken. */
type Broken = (body: () => void) => void;

/** A model in which a method is another one, made from the right one. */
function broken<T extends object, K extends keyof T>(
  prototype: T,
  key: K,
  make: (original: T[K]) => T[K],
): Broken {
  return (body) => {
    const original = prototype[key];
    prototype[key] = make(original);
    try {
      body();
    } finally {
      prototype[key] = original;
    }
  };
}

/** By what is wrong in the model: "a model in which …". */
export const CANARIES: readonly [name: string, withBrokenModel: Broken][] = [
  [
    "fork leaves the parent its right to write",
    broken(
      Mm.prototype,
      "fork",
      (original) =>
        function (this: Mm) {
          const before = [...this.entries].filter(([, { write }]) => write);
          const child = original.call(this);
          for (const [, entry] of before) entry.write = true;
          return child;
        },
    ),
  ],
  [
    "mprotect tells no mirror",
    broken(
      World.prototype,
      "notify",
      (original) =>
        function (this: World, mm, name, a, b, owner) {
          if (name !== "prot_vma") original.call(this, mm, name, a, b, owner);
        },
    ),
  ],
  ["copy-on-write copies nothing", broken(Content.prototype, "copyFrom", () => () => undefined)],
  [
    "small writes go one byte too far",
    broken(
      Content.prototype,
      "setByte",
      (original) =>
        function (this: Content, offset, value) {
          original.call(this, (offset + 1) % 4096, value);
        },
    ),
  ],
  [
    "the reverse map is walked backwards",
    broken(
      AnonVma.prototype,
      "around",
      (original) =>
        function (this: AnonVma, index) {
          return original.call(this, index).reverse();
        },
    ),
  ],
  [
    "memory never runs out",
    broken(
      World.prototype,
      "takeFrame",
      () =>
        function (this: World, place) {
          this.used[place + 1]++;
          return true;
        },
    ),
  ],
  ["new mappings do not merge", broken(VmaList.prototype, "mergeNew", () => () => undefined)],
  [
    "mremap forgets the last page",
    broken(
      Mm.prototype,
      "moveEntries",
      (original) =>
        function (this: Mm, a, n, b) {
          original.call(this, a, n - 1, b);
        },
    ),
  ],
  [
    "pins hold nothing",
    broken(
      Mm.prototype,
      "pin",
      (original) =>
        function (this: Mm, a, n) {
          const count = original.call(this, a, n);
          for (const page of this.pinned) if (page) page.pins = 0;
          return count;
        },
    ),
  ],
  [
    "a device keeps entries of copied pages",
    broken(
      Mirror.prototype,
      "invalidate",
      (original) =>
        function (this: Mirror, event) {
          if (event[0] === "clear") this.events.push(event);
          else original.call(this, event);
        },
    ),
  ],
  [
    "a page that moved to a device cannot be written there",
    broken(
      World.prototype,
      "arrive",
      (original) =>
        function (this: World, page, device, mover) {
          original.call(this, page, device, mover);
          for (const mm of this.mms.values())
            for (const entry of mm.entries.values()) if (entry.page === page) entry.write = false;
        },
    ),
  ],
];
