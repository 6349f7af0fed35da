// What happens when the core finds its own state broken: a record that TypeScript can read after the trap.

import { HDR_PANIC_FILE, HDR_PANIC_LINE, HDR_PANIC_MESSAGE, HEADER } from "../../abi/header";

/** True in the debug build, where fast forms of the code check themselves against the plain forms. */
export const DEBUG: bool = ASC_OPTIMIZE_LEVEL == 0;

/** Where failed asserts go (asc --use abort=…): leaves message, file and line in the header, then traps. */
export function abort(message: string | null, file: string | null, line: u32, _column: u32): void {
  store<u32>(HEADER + HDR_PANIC_MESSAGE, changetype<u32>(message));
  store<u32>(HEADER + HDR_PANIC_FILE, changetype<u32>(file));
  store<u32>(HEADER + HDR_PANIC_LINE, line);
  unreachable();
}
