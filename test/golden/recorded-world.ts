/** A stand-in for the engine that gives the recorded answers, for tests of the harness. */
import type { GoldenRecord, Operation, Scenario } from "./records.ts";
import type { World } from "./replay.ts";

export class RecordedWorld implements World {
  private next = 0;

  constructor(private readonly scenario: Scenario) {}

  perform(operation: Operation): GoldenRecord {
    const line = this.scenario.lines[this.next++];
    if (line.i !== operation.i || line.op !== operation.op) throw new Error(`${line.op} was recorded here`);
    return line;
  }

  verify(): void {
    // There are no invariants.
  }

  close(): void {
    // There is nothing to free.
  }
}
