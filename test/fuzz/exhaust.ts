/**
 * Runs on the engine alone, with full tables and failing allocations. No model predicts the answers, but
 * invariants hold, nothing is lost, and an operation changes only what it writes, whether it fails or not.
 */
import { HmmError } from "../../src/index.ts";
import { EINVARIANT } from "../../src/engine/errors.ts";
import { EngineSide } from "./engine-side.ts";
import { DEVICE_OPS, type Op, type Plan } from "./plan.ts";
import { caught, type Difference, type Runner } from "./replay.ts";
import type { View, ViewedHandle } from "./view.ts";

/** Operations that change no contents, though perhaps the place of pages and the right to access them. */
const PRESERVING = new Set([
  "mprotect",
  "mlock",
  "munlock",
  "mincore",
  "r",
  "lw",
  "rr",
  "sysw",
  "memread",
  "pin",
  "unpin",
  "fork",
  "exit",
  "open",
  "close",
  "dread",
  "dmig",
  "dsys",
  "dsnap",
  "drel",
  "dexcl",
  "dpeer",
  "mirror",
  "unmirror",
  "vlook",
  "vbeg",
  "vend",
  "vmig",
  "mram",
  "tr",
  "flt",
  "dchk",
  "file",
  "fr",
  "fw",
  "ft",
  "fp",
  "fc",
  "fa",
  "msync",
  "uffd",
  "unuffd",
  "swapon",
  "swapoff",
  "limit",
  "ksm",
  "mbeg",
  "sbeg",
  "ebeg",
  "mend",
  "reboot",
]);

/**
 * Advice that drops contents; MADV_FREE drops swapped pages, and MADV_PAGEOUT those that MADV_FREE marked,
 * which 7.3 does. /
 */
const DROPPING = new Set(["dontneed", "free", "remove", "pageout"]);

type Contents = Map<number, (number | string | null)[]>;

export class ExhaustRun implements Runner {
  readonly view: View;
  private readonly engine: EngineSide;
  private contents: Contents;

  constructor(plan: Plan, module?: WebAssembly.Module) {
    this.engine = new EngineSide(plan, module);
    this.view = new EngineView(this.engine);
    this.contents = this.read();
  }

  step(operation: Op): Difference | null {
    const { engine } = this;
    const { p, op, args } = operation;
    if (op === "fail") {
      engine.hmm.failAllocation(Number(args[0]));
      return null;
    }
    const target = this.target(operation);
    const failed = caught("engine", () => attempt(() => engine.perform(operation)));
    engine.hmm.failAllocation(0);
    if (failed) return failed;
    const broken = caught("verify", () => engine.verify());
    if (broken) return broken;
    const before = this.contents;
    this.contents = this.read();
    const preserving = PRESERVING.has(op) || (op === "madv" && !DROPPING.has(String(args[2])));
    for (const [pid, pages] of this.contents) {
      // A child has its parent's contents, or nothing.
      const old = before.get(pid) ?? before.get(p)!;
      if (pid === target && !preserving) continue;
      const wrong = pages.findIndex(
        (page, i) => page !== null && old[i] !== null && page !== old[i] && (before.has(pid) || page !== 0),
      );
      if (wrong >= 0) return { field: `st.${pid}.contents`, model: old[wrong], engine: pages[wrong] };
    }
    return null;
  }

  close(): Difference | null {
    return caught("close", () => this.engine.close());
  }

  /** Returns the process whose memory an operation concerns. */
  private target({ p, op, args }: Op): number {
    const { processes } = this.engine;
    if (!DEVICE_OPS.has(op)) return p;
    return this.engine.mirrored(processes.get(p)!.handles.get(Number(args[0]))!);
  }

  private read(): Contents {
    return new Map(this.view.processes().map((pid) => [pid, this.engine.contents(pid)]));
  }
}

/** Runs an operation that may fail for lack of memory or because of a lock. */
function attempt(body: () => unknown): void {
  try {
    body();
  } catch (error) {
    const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
    for (const one of errors) if (!(one instanceof HmmError) || one.errno === EINVARIANT) throw error;
  }
}

class EngineView implements View {
  constructor(private readonly engine: EngineSide) {}

  processes(): number[] {
    return [...this.engine.processes.keys()];
  }

  mappings(pid: number): { start: number; end: number }[] {
    return this.engine.mappings(pid);
  }

  handles(): Map<number, ViewedHandle> {
    const seen = new Map<number, ViewedHandle & { holders: Set<number> }>();
    for (const [pid, { handles }] of this.engine.processes) {
      for (const [number, handle] of handles) {
        const mirrored = this.engine.mirrored(handle);
        const { open, legacy } = handle;
        const one = seen.get(number) ?? {
          holders: new Set<number>(),
          mirrored,
          open: open.length,
          mirror: legacy.mirror !== null,
          tracked: legacy.tracked !== null,
        };
        seen.set(number, one);
        one.holders.add(pid);
      }
    }
    return seen;
  }

  files(): string[] {
    return [...this.engine.files.keys()];
  }

  pinned(): boolean {
    return [...this.engine.processes.values()].some(({ pins }) => pins.length > 0);
  }

  migrating(pid: number): boolean {
    const { mm } = this.engine.processes.get(pid)!;
    for (const { handles } of this.engine.processes.values())
      for (const handle of handles.values())
        if (handle.open.some(({ m }) => m.mm === mm) || (handle.legacy.tracked && handle.mm === mm))
          return true;
    return false;
  }

  /** Does nothing: there is no model to compare with. */
  lendsLocked(): boolean {
    return false;
  }
}
