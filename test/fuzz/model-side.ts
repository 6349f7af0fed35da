/** The reference model's side of a run. */
import { UNTOUCHED } from "../golden/codec.ts";
import type { Mm } from "../model/mm.ts";
import { EINVAL, PAGE, R, W, X, type Content } from "../model/page.ts";
import { execute, stateOf } from "../model/replay.ts";
import {
  ACCOUNT,
  DONTFORK,
  HUGE,
  HUGETLB,
  LOCKED,
  MERGEABLE,
  MIXED,
  NOHUGE,
  PFN,
  RANDOM,
  SEQUENTIAL,
  SHARED,
  UFFD,
  WIPEONFORK,
} from "../model/vma.ts";
import { World } from "../model/world.ts";
import {
  contentOf,
  digest,
  SAMPLES,
  type Answer,
  type Look,
  type Op,
  type Plan,
  type ProcessState,
  type State,
} from "./plan.ts";
import { modelFileOp } from "./model-files.ts";
import { legacyOp } from "./model-legacy.ts";
import type { View, ViewedHandle } from "./view.ts";

const FLAG_LETTERS: readonly [number, string][] = [
  [R, "r"],
  [W, "w"],
  [X, "x"],
  [LOCKED, "L"],
  [DONTFORK, "D"],
  [WIPEONFORK, "Z"],
  [ACCOUNT, "A"],
  [SHARED, "s"],
  [UFFD, "u"],
  [MIXED, "M"],
  [PFN, "P"],
  [MERGEABLE, "m"],
  [HUGETLB, "t"],
  [SEQUENTIAL, "q"],
  [RANDOM, "n"],
  [HUGE, "h"],
  [NOHUGE, "H"],
];

const EDEADLK = 35;
/** Operations that take mmapSem for write. */
const CHANGING = new Set([
  "mmap",
  "munmap",
  "mprotect",
  "mremap",
  "mresize",
  "mlock",
  "munlock",
  "fork",
  "uffd",
  "unuffd",
  "mirror",
]);
const CHANGING_ADVICE = new Set([
  "dontfork",
  "dofork",
  "wipeonfork",
  "keeponfork",
  "mergeable",
  "unmergeable",
  "normal",
  "random",
  "sequential",
  "hugepage",
  "nohugepage",
]);

export class ModelSide implements View {
  readonly world: World;
  private readonly plan: Plan;

  constructor(plan: Plan) {
    this.plan = plan;
    this.world = new World(plan.limits, plan.rules, plan.linux);
    this.world.swapOn = plan.limits.swap > 0;
  }

  // --- the generator's view ----------------------------------------------------------------------

  processes(): number[] {
    return [...this.world.mms.keys()];
  }

  mappings(pid: number): { start: number; end: number }[] {
    return this.world.mms.get(pid)!.vmas.list;
  }

  handles(): Map<number, ViewedHandle> {
    const seen = new Map<number, ViewedHandle>();
    for (const [h, { holders, opener, mirror }] of this.world.handles)
      seen.set(h, {
        holders,
        mirrored: mirror.mm ? opener : -1,
        open: mirror.open.length,
        mirror: mirror.updates !== null,
        tracked: mirror.tracked !== null,
      });
    return seen;
  }

  files(): string[] {
    return [...this.world.files.keys()];
  }

  pinned(): boolean {
    return [...this.world.mms.values()].some(({ pinned }) => pinned.length > 0);
  }

  lendsLocked(pid: number): boolean {
    const entries = [...(this.world.mms.get(pid)?.entries.values() ?? [])];
    return entries.some(({ lent, page }) => lent === true && page?.locked === true);
  }

  migrating(pid: number): boolean {
    const mm = this.world.mms.get(pid)!;
    for (const { mirror } of this.world.handles.values())
      if (mirror.open.some(({ migration }) => migration.mm === mm) || (mirror.tracked && mirror.mm === mm))
        return true;
    return false;
  }

  // --- operations --------------------------------------------------------------------------------

  perform(operation: Op): Answer {
    const { p, op, args } = operation;
    const mm = this.world.mms.get(p)!;
    const before = mm.faults;
    if (op === "reboot") return { ret: 0 };
    const locked = this.deadlock(operation);
    if (locked) return locked;
    const half = this.half(op, args.map(Number));
    if (half !== undefined) return { ret: half };
    const file = modelFileOp(this.world, op, args);
    if (file) return file;
    const legacy = legacyOp(this.world, mm, op, args.map(Number));
    if (legacy) return legacy;
    if (op === "limit") {
      this.world.chargeLimit = Number(args[0]);
      return { ret: 0 };
    }
    const answer = spanOp(mm, op, args.map(Number));
    if (answer) return { ...answer, flt: mm.faults - before };
    return execute(this.world, p, op, args)!;
  }

  /** Whether an open migration of its pages prevents changes of a process's mappings. */
  private deadlock({ p, op, args }: Op): Answer | null {
    if (!this.migrating(op === "mirror" ? this.handles().get(Number(args[0]))!.mirrored : p)) return null;
    if (op === "madv" ? !CHANGING_ADVICE.has(String(args[2])) : !CHANGING.has(op)) return null;
    const length = op === "mremap" ? args[3] : op === "mresize" ? args[2] : args[1];
    const empty = length === 0 && !["mprotect", "mlock", "munlock", "madv", "fork", "mirror"].includes(op);
    return { ret: empty ? -EINVAL : -EDEADLK };
  }

  private half(op: string, [h, a, n]: number[]): number | undefined {
    const mirror = this.world.handles.get(h)?.mirror;
    if (op === "mbeg") return mirror!.begin(a, n, false);
    if (op === "sbeg") return mirror!.begin(a, n, true);
    if (op === "ebeg") return mirror!.beginEvict(this.world);
    return op === "mend" ? mirror!.end() : undefined;
  }

  state(look: Look): State {
    const { world } = this;
    const st: Record<string, ProcessState> = {};
    for (const [pid, mm] of world.mms) st[pid] = this.processState(pid, mm, look);
    const files = Object.fromEntries(
      [...world.files].map(([name, file]): [string, State["files"][string]] => [
        name,
        [file.size, file.pages.size, contentOf(file.read(0, file.size), look === "all")],
      ]),
    );
    const { charged, swapUsed: swapped, hugeFree: pool } = world;
    return { st, used: [...world.used], pool, charged, swapped, faults: { ...world.faults }, files };
  }

  private processState(pid: number, mm: Mm, look: Look): ProcessState {
    const { first, end } = this.plan;
    const { pm, rss, h: shown } = stateOf(this.world, pid, end, first, true);
    const h: ProcessState["h"] = {};
    for (const [number, handle] of Object.entries(shown)) {
      const { mirror } = this.world.handles.get(Number(number))!;
      const upd = mirror.updates?.map(([name, a, b, , action]) => [name, a, b, action]) ?? null;
      if (mirror.updates) mirror.updates = [];
      h[number] = { ...handle, upd };
    }
    const bytes: (string | number)[] = [];
    for (let pn = first; pn < end && look !== "none"; pn++) {
      const entry = mm.entries.get(pn);
      const content = entry?.page?.content ?? entry?.slot?.page?.content ?? entry?.slot?.content;
      if (content) bytes.push(look === "all" ? content.digest() : sampled(content));
    }
    const vma = mm.vmas.list.map((v) => {
      const letters = FLAG_LETTERS.map(([bit, letter]) => ((v.flags & bit) !== 0 ? letter : "")).join("");
      return `${v.start}-${v.end} ${letters} @${v.pgoff}`;
    });
    return { vma, pm, rss, bytes: bytes.join(" "), h };
  }
}

function sampled(content: Content): string {
  let text = "";
  for (const offset of SAMPLES) text += `${content.at(offset)},`;
  return text;
}

/** Accesses that no record contains: words, and spans that cross pages. */
function spanOp(mm: Mm, op: string, [pn, offset, x, value]: number[]): Answer | undefined {
  switch (op) {
    case "lw": {
      const signal = mm.access(pn, false);
      if (signal) return { data: [signal] };
      const content = mm.entries.get(pn)!.page?.content;
      const byte = (i: number): number => content?.at(offset + i) ?? 0;
      return { data: [(byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0] };
    }
    case "sw": {
      const signal = mm.access(pn, true);
      if (signal) return { ok: 0, sig: [signal] };
      for (let i = 0; i < 4; i++) mm.writable(pn).setByte(offset + i, (x >>> (8 * i)) & 255);
      return { ok: 1 };
    }
    case "rr": {
      const buffer = new Uint8Array(x).fill(UNTOUCHED);
      const reached = span(mm, pn, offset, x, false, (page, at, i) => {
        buffer[i] = mm.entries.get(page)!.page?.content.at(at) ?? 0;
      });
      return { ...reached, data: digest(buffer) };
    }
    case "ww":
      return span(mm, pn, offset, x, true, (page, at) => mm.writable(page).setByte(at, value));
  }
  return undefined;
}

/** Walks `length` bytes page by page up to the first inaccessible page. */
function span(
  mm: Mm,
  pn: number,
  offset: number,
  length: number,
  write: boolean,
  use: (pn: number, at: number, i: number) => void,
): Answer {
  for (let i = 0; i < length; i++) {
    const at = offset + i;
    const page = pn + Math.floor(at / PAGE);
    if (i === 0 || at % PAGE === 0) {
      const signal = mm.access(page, write);
      if (signal) return { sig: signal, done: i };
    }
    use(page, at % PAGE, i);
  }
  return { sig: 0, done: length };
}
