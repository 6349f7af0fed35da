// Panics: when the core finds its own state broken, it leaves a record that TypeScript reads after the trap.

import { HDR_PANIC_FILE, HDR_PANIC_LINE, HDR_PANIC_MESSAGE, HEADER } from "../../abi/header";

/**
 * True in the debug build, where every fast form of an operation also runs the plain form and asserts that
 * both agree. A condition on it costs the release build nothing: asc drops the branch.
 */
export const DEBUG: bool = ASC_OPTIMIZE_LEVEL == 0;

/**
 * The target of failed asserts (asc --use abort=…): leaves message, file and line in the header, then traps.
 */
export function abort(message: string | null, file: string | null, line: u32, _column: u32): void {
  store<u32>(HEADER + HDR_PANIC_MESSAGE, changetype<u32>(message));
  store<u32>(HEADER + HDR_PANIC_FILE, changetype<u32>(file));
  store<u32>(HEADER + HDR_PANIC_LINE, line);
  unreachable();
}
