// The pieces of a range: what each vma has of it, for calls that go on after a hole and report it at the end.

import { COMMAND_SIZE } from "../../abi/header";
import { exists, none } from "../base/object";
import { Cmd } from "../operation/cmd";
import { mmAt } from "../space/mm";
import { findVmaFrom, Vma } from "../space/vma";

/** An operation on the pieces of [start, end). */
@unmanaged
export class PiecesCmd extends Cmd {
  /** 1 once some of the range was found unmapped. */
  holeMet: u32;
}

if (<i32>offsetof<PiecesCmd>() > COMMAND_SIZE) ERROR("PiecesCmd");

/**
 * Returns the vma of the next piece, which begins at cmd.cursor: holes before it are skipped. Null at the end of the
 * range. The caller moves the cursor to the piece's end when the piece is done.
 */
export function nextPiece(cmd: PiecesCmd): Vma {
  if (cmd.cursor >= cmd.end) return none<Vma>();
  const vma = findVmaFrom(mmAt(cmd.mm), cmd.cursor);
  if (exists(vma) && vma.start <= cmd.cursor) return vma;
  cmd.holeMet = 1;
  if (!exists(vma) || vma.start >= cmd.end) return none<Vma>();
  cmd.cursor = vma.start;
  return vma;
}
