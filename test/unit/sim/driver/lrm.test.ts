/** Chunks of device memory, least recently migrated first: each sentence of the rule (B5). */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LrmChunks } from "../../../../src/sim/policies/lrm.ts";

const test = suite("driver: chunks by least recent migration");
test("free chunks are taken first, then the head of unused, then the head of used", () => {
  const chunks = new LrmChunks<string>(3);
  assert.equal(
    ["a", "b", "c"].map((block) => chunks.take(block)),
    [null, null, null],
  );
  chunks.empty("c");
  chunks.empty("b");
  assert.equal(chunks.lists(), { used: ["a"], unused: ["c", "b"] });
  assert.is(chunks.take("d"), null, "an unused chunk is no eviction");
  assert.equal(chunks.lists(), { used: ["a", "d"], unused: ["b"] });
  assert.not(chunks.has("c"));
  assert.is(chunks.take("e"), null);
  assert.is(chunks.take("f"), "a");
  assert.equal(chunks.lists(), { used: ["d", "e", "f"], unused: [] });
});
test("a migration moves a chunk to the tail, so that the least recently migrated block goes", () => {
  // A and B are migrated and A is used: a use tells the list nothing. C evicts A where LRU would evict B.
  const chunks = new LrmChunks<string>(2);
  chunks.take("A");
  chunks.take("B");
  assert.is(chunks.take("C"), "A");
  chunks.touch("B");
  assert.is(chunks.take("D"), "C");
});
test("an unused chunk that is migrated into is used again, and a freed one is free", () => {
  const chunks = new LrmChunks<string>(2);
  chunks.take("a");
  chunks.take("b");
  chunks.empty("a");
  chunks.touch("a");
  assert.equal(chunks.lists(), { used: ["b", "a"], unused: [] });
  chunks.free("b");
  assert.is(chunks.taken, 1);
  assert.is(chunks.take("c"), null);
});
test.run();
