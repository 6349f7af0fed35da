/**
 * Records of an .hmt block as the replay takes them: words of 8 bytes (abi/record.ts), for one device.
 *
 * A word's size has 8 bits. A longer access, which is a part of a copy, becomes an access to each page that it touches.
 * Events and instruction fetches give no word; addresses in the kernel's half are counted and left out.
 */
import { RECORD_DEVICE_SHIFT, RECORD_KIND_SHIFT, RECORD_SIZE_MAX } from "../abi/record";
import { PAGE_SHIFT } from "../uapi/page";
import { Hmt } from "./hmt";
import { KERNEL_SHIFT, record } from "./state";

const ADDRESS_BITS: u64 = 48;
const ADDRESS_MASK: u64 = (1 << 48) - 1;
const KIND_MASK: u32 = 3;
const FETCH: u32 = 3;
const EVENT: u32 = 16;

/** A word for each page of the access; returns where the next word goes. */
function split(out: usize, address: u64, size: u32, bits: u64): usize {
  const end = address + size;
  while (address < end) {
    const pageEnd = ((address >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
    const here = min<u64>(end, pageEnd) - address;
    store<u64>(out, record(address, <u32>min<u64>(here, RECORD_SIZE_MAX)) | bits);
    out += 8;
    address += here;
  }
  return out;
}

/** Turns the `count` records at `output` into words at `words`; returns how many. */
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
    const size = <u32>(high >> ADDRESS_BITS);
    const device = select<u64>(1, 0, (low & 0xff00) != 0);
    const bits = (device << RECORD_DEVICE_SHIFT) | ((<u64>(low & KIND_MASK)) << RECORD_KIND_SHIFT);
    if (size > <u32>RECORD_SIZE_MAX) {
      out = split(out, address, size, bits);
      continue;
    }
    store<u64>(out, record(address, size) | bits);
    out += 8;
  }
  return <u32>((out - s.words) >> 3);
}
