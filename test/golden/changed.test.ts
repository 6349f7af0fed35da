/** The comparison with the records notices a changed field, an engine that breaks, and one that leaks. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STRICT_FIELDS } from "./compare.ts";
import { mutableFields, withChange } from "./mutate.ts";
import type { GoldenRecord } from "./records.ts";
import { named, run } from "./recorded.ts";
import { replayScenario } from "./replay.ts";
import { EngineWorld, makeEngineWorld } from "./world.ts";

const test = suite("golden: changed records and engines");

test("a changed record is a mismatch in the changed field and nowhere else", () => {
  const seen = new Set<string>();
  for (const scenario of run) {
    for (const { kind, path, index, strict } of mutableFields(scenario)) {
      if (!strict || seen.has(kind)) continue;
      seen.add(kind);
      const { mismatches } = replayScenario(withChange(scenario, index, path), makeEngineWorld);
      assert.equal(
        mismatches.map((mismatch) => [mismatch.index, mismatch.field]),
        [[scenario.lines[index].i, path.join(".")]],
        `${kind} in ${scenario.name}`,
      );
    }
  }
  // harness.test.ts shows fields of KSM alone, on a stand-in.
  const fields = STRICT_FIELDS.filter((field) => field !== "shared" && field !== "sharing");
  for (const kind of [...fields, "st.rss", "st.dev", "st.snap", "st.dpt", "st.inv"]) {
    assert.ok(seen.has(kind), `no record has ${kind}`);
  }
});

test("verify() reports a broken invariant after the operation that broke it", () => {
  /** Leaves a device entry that outlives the CPU's, like a driver that forgets an invalidation. */
  class Forgetful extends EngineWorld {
    override perform(operation: Parameters<EngineWorld["perform"]>[0]): GoldenRecord {
      const table = this.processes.get(0)?.handles.get(0)?.table;
      const before = table?.snapshot(0x100000000000, this.win);
      const line = super.perform(operation);
      if (operation.i === 2) table!.map(0x100000000000, before!);
      return line;
    }
  }
  const result = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Forgetful(win, 2 << 20));
  assert.equal(
    result.mismatches.map(({ index, field }) => [index, field]),
    [[2, "verify"]],
  );
  assert.match(String(result.mismatches[0].got), /EINVARIANT/);
});

test("an engine that throws is a mismatch, and so is memory in use at the end", () => {
  class Throwing extends EngineWorld {
    override perform(operation: Parameters<EngineWorld["perform"]>[0]): GoldenRecord {
      if (operation.i === 1) throw new Error("out of order");
      return super.perform(operation);
    }
  }
  const thrown = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Throwing(win, 2 << 20));
  assert.equal(
    thrown.mismatches.map(({ index, field }) => [index, field]),
    [[1, "perform"]],
  );

  class Leaking extends EngineWorld {
    override close(): void {
      this.processes.get(0)!.mm.pin(0x100000001000, 1);
      super.close();
    }
  }
  const leaked = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Leaking(win, 2 << 20));
  assert.equal(
    leaked.mismatches.map(({ field }) => field),
    ["close"],
  );
});

test.run();
