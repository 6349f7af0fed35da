/** Ways to break the reference model's rules of Linux 7.3. */
import { HUGE_PAGES } from "../model/page.ts";
import { blockOf, Folio } from "../model/huge.ts";
import { Mirror, type Reply } from "../model/mirror.ts";
import { Mm } from "../model/mm.ts";
import { World } from "../model/world.ts";
import { broken, type Broken } from "./broken.ts";

/** Runs `body` while a model of 7.3 answers like 6.12. */
function asOlder<T>(world: World, body: () => T): T {
  Object.defineProperty(world, "newer", { value: false, configurable: true });
  try {
    return body();
  } finally {
    delete (world as { newer?: boolean }).newer;
  }
}

/** A model in which one command of devices has the rules of 6.12. */
const olderMirror = (command: "exclusive" | "toDevice" | "toSystem"): Broken =>
  broken(
    Mirror.prototype,
    command,
    (original) =>
      function (this: Mirror, a, n) {
        const perform = (): Reply => original.call(this, a, n);
        return this.mm ? asOlder(this.mm.world, perform) : perform();
      },
  );

/** A model in which some faults have the rules of 6.12. */
const olderFault = (which: (mm: Mm, pn: number, write: boolean) => boolean): Broken =>
  broken(
    Mm.prototype,
    "fault",
    (original) =>
      function (this: Mm, vma, pn, write) {
        const fault = (): number => original.call(this, vma, pn, write);
        return which(this, pn, write) ? asOlder(this.world, fault) : fault();
      },
  );

/** Broken models by what is wrong: "a model in which …". Runs follow the rules of 7.3. */
export const NEWER_CANARIES: readonly [name: string, withBrokenModel: Broken][] = [
  ["exclusive access is taken in pieces", olderMirror("exclusive")],
  [
    "the end of exclusive access sends the event of 6.12",
    olderFault((mm, pn) => mm.entries.get(pn)?.lent === true),
  ],
  [
    "a write to the huge zero page maps one page",
    olderFault((mm, pn, write) => write && !!mm.huge.get(blockOf(pn))),
  ],
  ["migrations to system memory split what they leave behind", olderMirror("toSystem")],
  ["parts of a folio stay when their neighbors migrate", olderMirror("toDevice")],
  ["MADV_DONTNEED keeps all page tables", broken(Mm.prototype, "freeTables", () => () => undefined)],
  [
    "folios have four pages at most",
    broken(
      World.prototype,
      "newFolio",
      (original) =>
        function (this: World, home, index, size = HUGE_PAGES) {
          return size > 4 && size < HUGE_PAGES ? null : original.call(this, home, index, size);
        },
    ),
  ],
  [
    "folios come back from swap space page by page",
    broken(
      World.prototype,
      "newFolio",
      (original) =>
        function (this: World, home, index, size) {
          return home ? original.call(this, home, index, size) : null;
        },
    ),
  ],
  [
    "a part of a folio that one process has alone is copied",
    broken(
      Mm.prototype,
      "onlyOurs",
      (original) =>
        function (this: Mm, page) {
          return asOlder(this.world, () => original.call(this, page));
        },
    ),
  ],
  [
    "pins of its pages do not hold a folio",
    (body) => {
      const held = Object.getOwnPropertyDescriptor(Folio.prototype, "held")!;
      Object.defineProperty(Folio.prototype, "held", { ...held, get: () => false });
      try {
        body();
      } finally {
        Object.defineProperty(Folio.prototype, "held", held);
      }
    },
  ],
  ["pages of locked mappings are free at once", broken(World.prototype, "unlock", () => () => undefined)],
  [
    "a copy of a page of coherent memory is made on its device",
    broken(
      Mm.prototype,
      "copyToNew",
      (original) =>
        function (this: Mm, vma, pn, old) {
          const error = original.call(this, vma, pn, old);
          const { page } = this.entries.get(pn) ?? {};
          if (error === 0 && page && old && this.world.coherent[old.place]) {
            this.world.giveFrame(page.place);
            this.world.takeFrame(old.place);
            page.place = old.place;
          }
          return error;
        },
    ),
  ],
  [
    "a pin for long, to read, takes pages that a fork shares",
    broken(
      Mm.prototype,
      "getPage",
      (original) =>
        function (this: Mm, pn, write, force, single) {
          return original.call(this, pn, write, force, single);
        },
    ),
  ],
];
