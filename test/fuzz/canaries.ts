/** Ways to break the reference model. A fuzzer that misses them would also miss a broken engine. */
import { ModelFile } from "../model/file.ts";
import { Folio } from "../model/huge.ts";
import { Ksm } from "../model/ksm.ts";
import { OpenMigration } from "../model/migrate.ts";
import { Mirror } from "../model/mirror.ts";
import { Mm } from "../model/mm.ts";
import { Content } from "../model/page.ts";
import { AnonVma, UFFD, VmaList } from "../model/vma.ts";
import { World } from "../model/world.ts";
import { broken, type Broken } from "./broken.ts";

/** Broken models by what is wrong: "a model in which …". */
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
    "hugetlb pages count as anonymous memory",
    broken(
      Mm.prototype,
      "setEntry",
      (original) =>
        function (this: Mm, pn, entry) {
          original.call(this, pn, entry);
          if (entry.page?.kind === "hugetlb") this.rss.anon++;
        },
    ),
  ],
  [
    "KSM looks once more often than it is told",
    broken(
      Ksm.prototype,
      "scan",
      (original) =>
        function (this: Ksm, passes) {
          return original.call(this, passes + 1);
        },
    ),
  ],
  [
    "pages that are pinned for long stay on their device",
    broken(
      Mm.prototype,
      "pinForLong",
      () =>
        function (this: Mm, a, n, write) {
          return this.pin(a, n, write);
        },
    ),
  ],
  [
    "exclusive access is given back without a word",
    broken(
      World.prototype,
      "notify",
      (original) =>
        function (this: World, mm, name, a, b, owner) {
          if (name !== "exclusive" || owner !== undefined) original.call(this, mm, name, a, b, owner);
        },
    ),
  ],
  ["pages of files are never clean again", broken(ModelFile.prototype, "writeBack", () => () => 0)],
  [
    "a shorter file keeps its pages",
    broken(
      ModelFile.prototype,
      "truncate",
      () =>
        function (this: ModelFile, size) {
          this.size = size;
          return 0;
        },
    ),
  ],
  [
    "swapped pages are forgotten by fork",
    broken(
      Mm.prototype,
      "setEntry",
      (original) =>
        function (this: Mm, pn, entry) {
          if (!entry.slot) original.call(this, pn, entry);
        },
    ),
  ],
  [
    "userfaultfd lets the zero page through",
    broken(
      Mm.prototype,
      "fault",
      (original) =>
        function (this: Mm, vma, pn, write) {
          const { flags } = vma;
          vma.flags &= ~UFFD;
          const answer = original.call(this, vma, pn, write);
          vma.flags = flags;
          return answer;
        },
    ),
  ],
  [
    "shared memory counts as anonymous",
    broken(
      Mm.prototype,
      "setEntry",
      (original) =>
        function (this: Mm, pn, entry) {
          original.call(this, pn, entry);
          if (entry.page?.kind !== "shmem") return;
          this.rss.shmem--;
          this.rss.anon++;
        },
    ),
  ],
  [
    "a tracked range stays true whatever happens",
    broken(
      Mirror.prototype,
      "invalidate",
      (original) =>
        function (this: Mirror, event) {
          const { tracked } = this;
          this.tracked = null;
          original.call(this, event);
          this.tracked = tracked;
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
    "a page that has moved cannot be written any more",
    broken(
      OpenMigration.prototype,
      "finish",
      (original) =>
        function (this: OpenMigration) {
          const outcome = original.call(this);
          for (const { pn } of outcome.moved) this.mm!.entries.get(pn)!.write = false;
          return outcome;
        },
    ),
  ],
  [
    "parts of a huge page are free at once",
    broken(
      World.prototype,
      "release",
      (original) =>
        function (this: World, page) {
          const { folio } = page;
          page.folio = null;
          original.call(this, page);
          page.folio = folio;
        },
    ),
  ],
  [
    "a huge page counts as one page of the memory cgroup",
    broken(
      World.prototype,
      "newFolio",
      (original) =>
        function (this: World, home, index) {
          const folio = original.call(this, home, index);
          if (folio) this.charged -= folio.pages.length - 1;
          return folio;
        },
    ),
  ],
  [
    "a shared huge page is split before one process alone",
    broken(
      Folio.prototype,
      "around",
      (original) =>
        function (this: Folio) {
          return original.call(this).slice(0, 1);
        },
    ),
  ],
  ["huge pages never move as one", broken(World.prototype, "large", () => () => false)],
];
