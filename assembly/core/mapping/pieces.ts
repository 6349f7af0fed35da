// Pieces: what each vma has of a range. For calls that skip what is not mapped, and report it at the end.

import { COMMAND_SIZE } from "../../abi/header";
import { exists } from "../base/object";
import { Cmd } from "../operation/cmd";
import { mmAt } from "../space/mm";
import { Vma, vmaInRange } from "../space/vma";

/** An operation on the pieces of [start, end). */
@unmanaged
export class PiecesCmd extends Cmd {
  /** 1 once some of the range was found unmapped. */
  holeMet: u32;
}

if (<i32>offsetof<PiecesCmd>() > COMMAND_SIZE) ERROR("PiecesCmd");

/**
 * Returns the vma of the next piece, [cmd.cursor, min(vma.end, cmd.end)), skipping holes; null at the end of
 * the range. The caller moves the cursor to the piece's end when the piece is done.
 */
export function nextPiece(cmd: PiecesCmd): Vma {
  const vma = vmaInRange(mmAt(cmd.mm), cmd.cursor, cmd.end);
  if (exists(vma) ? vma.start > cmd.cursor : cmd.cursor < cmd.end) cmd.holeMet = 1;
  if (exists(vma)) cmd.cursor = max(cmd.cursor, vma.start);
  return vma;
}
