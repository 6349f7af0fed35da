// Registering ranges with userfaultfd: a fault on a missing page there is SIGBUS, as no handler exists here.

import { COMMAND_SIZE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EINVAL, ENOMEM } from "../../uapi/errno";
import { VM_UFFD_MISSING } from "../../uapi/vm";
import { exists } from "../base/object";
import { Cmd } from "../operation/cmd";
import { splitEdges } from "../operation/split";
import { vmaModify } from "../space/merge";
import { mmAt } from "../space/mm";
import { isAnonymous, vmaLookup } from "../space/vma";

/** OP_UFFD: UFFDIO_REGISTER (missing mode) or UFFDIO_UNREGISTER of [start, end). */
@unmanaged
export class UffdCmd extends Cmd {
  /** 1: register, 0: unregister. */
  register: u32;
}

if (<i32>offsetof<UffdCmd>() > COMMAND_SIZE) ERROR("UffdCmd");

/**
 * OP_UFFD: changes the flag of a vma at a time. -EINVAL, and nothing changes, where a part is not anonymous
 * or not mapped.
 */
export function uffdStep(cmd: UffdCmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    for (let at = cmd.start; at < cmd.end;) {
      const vma = vmaLookup(mm, at);
      if (!exists(vma) || !isAnonymous(vma)) return -EINVAL;
      at = vma.end;
    }
    cmd.phase = 1;
  }
  while (cmd.cursor < cmd.end) {
    const vma = vmaLookup(mm, cmd.cursor);
    const until = min(vma.end, cmd.end);
    const flags = cmd.register ? vma.flags | VM_UFFD_MISSING : vma.flags & ~VM_UFFD_MISSING;
    if (flags != vma.flags) {
      if (splitEdges(cmd, vma, cmd.cursor, until) == REQUEST) return REQUEST;
      cmd.edges = 0;
      if (!exists(vmaModify(mm, vma, cmd.cursor, until, flags))) return -ENOMEM;
    }
    cmd.cursor = until;
  }
  return 0;
}
