// The record of what verify() finds broken.

import { HDR_VERIFY_A, HDR_VERIFY_B, HDR_VERIFY_C, HDR_VERIFY_CODE, HDR_VERIFY_MM } from "../../abi/header";
import { VERIFY_OK } from "../../abi/verify";
import { header, setHeader, setHeaderF64 } from "../base/layout";

/** Notes a broken invariant (VERIFY_*, with its numbers) in the header, unless one was noted before. */
export function broken(code: u32, mm: u32, a: u64, b: u64 = 0, c: u64 = 0): void {
  if (header(HDR_VERIFY_CODE) != VERIFY_OK) return;
  setHeader(HDR_VERIFY_CODE, code);
  setHeader(HDR_VERIFY_MM, mm);
  setHeaderF64(HDR_VERIFY_A, a);
  setHeaderF64(HDR_VERIFY_B, b);
  setHeaderF64(HDR_VERIFY_C, c);
}
