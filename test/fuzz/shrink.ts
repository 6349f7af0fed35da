/** Shortens and simplifies the sequence of a failed run while it still fails in the same way. */
import type { DriverRules } from "../model/driver-rules.ts";
import type { Limits } from "../model/world.ts";
import { HUGE_MEMORY } from "./generate-huge.ts";
import { MEMORY_MAX, NO_LIMIT, type Op, type Plan } from "./plan.ts";
import { runOps, type Failure } from "./replay.ts";

/** Runs that shortening may take. A sequence that is then not minimal still fails. */
const RUNS_MAX = 6000;

class Shrinker {
  private runs = 0;
  private readonly kind: string;

  constructor(
    private best: Failure,
    private readonly module?: WebAssembly.Module,
  ) {
    this.kind = kindOf(best);
  }

  run(): Failure {
    if (!this.try(this.best.plan, this.best.ops)) return this.best;
    for (let size = Infinity; size !== this.size;) {
      size = this.size;
      this.removeOps();
      this.simplifyPlan();
      this.simplifyArgs();
    }
    return this.best;
  }

  /** Returns the size of a sequence: operations, and digits in them. */
  private get size(): number {
    return JSON.stringify([this.best.plan, this.best.ops]).length;
  }

  /** Keeps a sequence as the best so far if it fails in the same way. */
  private try(plan: Plan, ops: Op[]): boolean {
    if (this.runs++ >= RUNS_MAX) return false;
    const { failure } = runOps(plan, ops, this.module);
    if (!failure || kindOf(failure) !== this.kind) return false;
    this.best = failure;
    return true;
  }

  /** Delta debugging: removes pieces of decreasing size. */
  private removeOps(): void {
    for (let piece = Math.ceil(this.best.ops.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
      for (let at = this.best.ops.length - piece; at >= 0; at -= piece) {
        const { plan, ops } = this.best;
        this.try(plan, [...ops.slice(0, at), ...ops.slice(at + piece)]);
        at = Math.min(at, this.best.ops.length);
      }
    }
  }

  private simplifyPlan(): void {
    const most = this.best.plan.huge ? HUGE_MEMORY : MEMORY_MAX;
    const limits: Partial<Limits>[] = [
      { ram: most },
      { devices: [most, most] },
      { coherent: [false, false] },
      { charge: NO_LIMIT },
    ];
    const rules: Partial<DriverRules>[] = [
      { piece: 64 },
      { cluster: 1 },
      { evictOnClose: false },
      { evictSingly: true },
      { compound: false },
      { largeRam: true },
      { largeDevice: true },
    ];
    for (const change of limits) {
      const { plan } = this.best;
      this.tryPlan({ ...plan, limits: { ...plan.limits, ...change } });
    }
    for (const change of rules) {
      const { plan } = this.best;
      this.tryPlan({ ...plan, rules: { ...plan.rules, ...change } });
    }
  }

  private tryPlan(plan: Plan): void {
    if (JSON.stringify(plan) !== JSON.stringify(this.best.plan)) this.try(plan, this.best.ops);
  }

  /** Replaces numbers by smaller ones, and processes by the first, where the failure stays. */
  private simplifyArgs(): void {
    for (let at = 0; at < this.best.ops.length; at++) {
      for (let i = 0; i < (this.best.ops[at]?.args.length ?? 0); i++) {
        const value = this.best.ops[at]?.args[i];
        if (typeof value !== "number") continue;
        for (const smaller of new Set([1, value >> 1, value - 1]))
          if (smaller < value && smaller >= 0 && this.setArg(at, i, smaller)) break;
      }
      const op = this.best.ops[at];
      if (op && op.p !== 0) this.try(this.best.plan, replaced(this.best.ops, at, { ...op, p: 0 }));
    }
  }

  private setArg(at: number, i: number, value: number): boolean {
    const { plan, ops } = this.best;
    if (at >= ops.length) return true;
    return this.try(plan, replaced(ops, at, { ...ops[at], args: replaced(ops[at].args, i, value) }));
  }
}

function replaced<T>(list: readonly T[], at: number, value: T): T[] {
  return list.map((other, i) => (i === at ? value : other));
}

/** Fields of failures that are exceptions. */
const FAILED = new Set(["engine", "model", "state", "verify"]);

/** Returns the kind of a failure: the difference without numbers, and the operation. */
export function kindOf({ ops, field, engine }: Failure): string {
  const what = field.replace(/\d+/g, "N");
  const [error] = typeof engine === "string" ? engine.replace(/\d+/g, "N").split("\n") : [""];
  if (field === "close") return `close: ${error}`;
  return `${ops.at(-1)?.op} ${what}${FAILED.has(field) ? `: ${error}` : ""}`;
}

export function shrink(failure: Failure, module?: WebAssembly.Module): Failure {
  return new Shrinker(failure, module).run();
}
