/** Mutants of the replacement policies and of the prefetchers by fault. */
import type { Mutant } from "./mutant.ts";

const EVICT = "src/sim/policies/evict";
const PREFETCH = "src/sim/policies/prefetch";

export const REPLACEMENT: readonly Mutant[] = [
  {
    name: "sieve-hand-goes-back-to-the-oldest",
    file: `${EVICT}/sieve.ts`,
    before: "this.#hand = slots.newer(slot);",
    after: "this.#hand = -1;",
    ask: ["unit/evict"],
  },
  {
    name: "clock-hand-stays-at-the-frame-that-it-refills",
    file: `${EVICT}/clock.ts`,
    before: "if (slots[slot] === PLAIN) return slot;",
    after: "if (slots[slot] === PLAIN) return (this.#hand = slot);",
    ask: ["unit/evict"],
  },
  {
    name: "s3-fifo-promotes-at-the-first-access",
    file: `${EVICT}/s3-fifo.ts`,
    before: "this.#promotedAfter = parameter - 1;",
    after: "this.#promotedAfter = parameter - 2;",
    ask: ["unit/evict-queues"],
  },
  {
    name: "s3-fifo-small-queue-is-a-fifth",
    file: `${EVICT}/s3-fifo.ts`,
    before: "Math.floor(capacity / 10)",
    after: "Math.floor(capacity / 5)",
    ask: ["unit/evict-queues"],
  },
  {
    name: "arc-target-is-a-whole-number",
    file: `${EVICT}/arc.ts`,
    before: "this.#target + Math.max(1, frequent / recent)",
    after: "this.#target + Math.max(1, Math.floor(frequent / recent))",
    ask: ["unit/evict-queues"],
  },
  {
    name: "segfifo-rounds-its-second-list-up",
    file: `${EVICT}/seg-fifo.ts`,
    before: "Math.floor((capacity * parameter) / 100)",
    after: "Math.ceil((capacity * parameter) / 100)",
    ask: ["unit/evict-queues"],
  },
  {
    name: "lru-forgets-uses",
    file: `${EVICT}/lru.ts`,
    before: "  used(slot: number): void {\n    this.#slots.push(slot);",
    after: "  used(slot: number): void {\n    void slot;",
    ask: ["unit/evict"],
  },
  {
    name: "victim-is-a-group-that-is-not-whole",
    file: `${EVICT}/groups.ts`,
    before: "group.slots.size < this.group",
    after: "group.slots.size < this.group - 1",
    ask: ["unit/uvm-smart"],
  },
  {
    name: "lfu-heeds-no-stores",
    file: `${EVICT}/groups.ts`,
    before: "return !this.#isWritten(group) && this.#isWritten(other);",
    after: "return false;",
    ask: ["unit/uvm-smart"],
  },
  {
    name: "tree-empties-nodes-that-are-left-with-half",
    file: `${EVICT}/tree.ts`,
    before: "valid < (size * blockUnits) / 2",
    after: "valid <= (size * blockUnits) / 2",
    ask: ["unit/uvm-smart"],
  },
  {
    name: "tbn-completes-nodes-that-are-half-there",
    file: `${PREFETCH}/tbn.ts`,
    before: "if (pages <= (size * BLOCK) / 2)",
    after: "if (pages < (size * BLOCK) / 2)",
    ask: ["unit/uvm-smart"],
  },
  {
    name: "tbn-completes-blocks-that-have-a-page",
    file: `${PREFETCH}/tbn.ts`,
    before: "i === block || empty[i]",
    after: "i >= 0",
    ask: ["unit/uvm-smart"],
  },
];
