/**
 * Turns the records of an .hmt block into replay records (abi/record.ts), of 8 bytes, for one device. Events
 * and instruction fetches give none; addresses in the kernel's half are counted and left out.
 */
import { RECORD_DEVICE_SHIFT, RECORD_KIND_SHIFT } from "../abi/record";
import { Hmt } from "./hmt";
import { anyRecord, KERNEL_SHIFT } from "./state";

const ADDRESS_BITS: u64 = 48;
const ADDRESS_MASK: u64 = (1 << 48) - 1;
const KIND_MASK: u32 = 3;
const FETCH: u32 = 3;
const EVENT: u32 = 16;

/** Turns the `count` records at `output` into words at `words`. Returns the number of words. */
export function hmtToWords(s: Hmt, count: u32): u32 {
  let out = s.words;
  let p = s.output;
  for (; count != 0; count--, p += 16) {
    const high = load<u64>(p);
    const low = <u32>load<u64>(p, 8);
    if ((low & 0xff) >= EVENT || (low & KIND_MASK) == FETCH) continue;
    const address = high & ADDRESS_MASK;
    if (address >> KERNEL_SHIFT != 0) {
      s.kernel++;
      continue;
    }
    const device = select<u64>(1, 0, (low & 0xff00) != 0);
    const bits = (device << RECORD_DEVICE_SHIFT) | ((<u64>(low & KIND_MASK)) << RECORD_KIND_SHIFT);
    store<u64>(out, anyRecord(address, <u32>(high >> ADDRESS_BITS)) | bits);
    out += 8;
  }
  return <u32>((out - s.words) >> 3);
}
