/** The model's side of the calls of 2018 and of other calls that no record contains. */
import { look, migrateVma, rangeDone, translate } from "../model/legacy.ts";
import type { Mirror } from "../model/mirror.ts";
import type { Mm } from "../model/mm.ts";
import { runs } from "../model/replay.ts";
import type { World } from "../model/world.ts";
import type { Answer } from "./plan.ts";

export function legacyOp(world: World, mm: Mm, op: string, args: number[]): Answer | undefined {
  const [a, n] = args;
  switch (op) {
    case "mram":
      return migrateVma(mm, a, n, null);
    case "tr":
      return { words: runs(translate(mm, a, n)) };
    case "flt": {
      const before = mm.faults;
      return { kind: mm.faultAt(a, n === 1), flt: mm.faults - before };
    }
  }
  const mirror = world.handles.get(a)?.mirror;
  return mirror && mirrorOp(world, mirror, op, args);
}

function mirrorOp(world: World, mirror: Mirror, op: string, [, a, n, mode]: number[]): Answer | undefined {
  switch (op) {
    case "mirror":
    case "unmirror":
      mirror.updates = op === "mirror" ? [] : null;
      return { ret: 0 };
    case "vlook":
    case "vbeg": {
      const others = [...world.handles.values()].map((handle) => handle.mirror);
      const mirrored = others.some(({ mm, updates }) => mm === mirror.mm && updates !== null);
      const { snap, ...answer } = look(mirror, mirrored, a, n, mode);
      if (!snap) return answer;
      const shown = { ...answer, snap: runs(snap) };
      return op === "vbeg" ? shown : { ...shown, ...done(mirror) };
    }
    case "vend":
      return done(mirror);
    case "vmig":
      return mirror.migrateVma(a, n);
    case "dpeer":
      return { ...mirror.fromPeer(a, n, 1 - mirror.device) };
  }
  return undefined;
}

function done(mirror: Mirror): Answer {
  const { valid, snap } = rangeDone(mirror);
  return { valid, left: runs(snap) };
}
