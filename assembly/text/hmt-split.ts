/**
 * Takes the literals of an .hmt payload apart, and puts them together (docs/hmt.md, codec 2): the front has
 * all of the payload but of each literal only its highest byte, the tails have the other bytes.
 *
 *   payload  sites … named │ literals          │ threads
 *   front    sites … named │ highest bytes │ threads
 *   tails    the other bytes of the literals
 *
 * Of irregular addresses the lower bytes are noise. A compressor that sees them among the highest bytes,
 * which are not, finds nothing in either. Where the highest bytes are noise, too, the tails have them all,
 * and the front has none.
 */
const PAYLOAD_HEADER: u32 = 24;
const SITE_BYTES: u32 = 8;
const EVENT_BYTES: u32 = 24;

const FORM_LENGTH: u32 = 7;
const FORM_PREDICTED: u32 = 128;
/** A form with this length is an event or wrong. */
const NO_LENGTH: u32 = 7;

/** The offset of the forms in the payload or front at `p`; numbers that are too large lead beyond it. */
function formsAt(p: usize): u64 {
  return <u64>PAYLOAD_HEADER + <u64>load<u32>(p) * SITE_BYTES + <u64>load<u32>(p, 4) * EVENT_BYTES;
}

/** The offset of what follows the named sites: the literals, or their highest bytes. */
function literalsAt(p: usize): u64 {
  const width: u64 = load<u32>(p) > 256 ? 2 : 1;
  return formsAt(p) + load<u32>(p, 8) + load<u32>(p, 12) + <u64>load<u32>(p, 16) * width;
}

/** The bytes of the literal that a form has. */
// @ts-ignore: decorator
@inline
function lengthOf(form: u32): u32 {
  const length = form & FORM_LENGTH;
  return length == NO_LENGTH || form & FORM_PREDICTED ? 0 : length;
}

/** How many of `n` forms have a literal of at least one byte; -1 unless all literals have `bytes` bytes. */
function countLiterals(forms: usize, n: u32, bytes: u32): i32 {
  let literals: i32 = 0;
  let all: u32 = 0;
  for (const end = forms + n; forms != end; forms++) {
    const length = lengthOf(<u32>load<u8>(forms));
    all += length;
    if (length != 0) literals++;
  }
  return all == bytes ? literals : -1;
}

/**
 * Splits the payload of `length` bytes at `payload` so that the tails have whole literals. Writes the front
 * to `out`, and the tails after it. Returns the front's length.
 */
export function takeLiterals(payload: usize, length: u32, out: usize): u32 {
  const bytes = load<u32>(payload, 20);
  const at = <u32>literalsAt(payload);
  const front = length - bytes;
  memory.copy(out, payload, at);
  memory.copy(out + at, payload + at + bytes, front - at);
  memory.copy(out + front, payload + at, bytes);
  return front;
}

/**
 * Splits the payload of `length` bytes at `payload`, which hmtEncode made. Writes the front to `out`, and the
 * tails after it; 8 bytes after both may be overwritten. Returns the front's length.
 */
export function splitLiterals(payload: usize, length: u32, out: usize): u32 {
  const bytes = load<u32>(payload, 20);
  const at = <u32>literalsAt(payload);
  let form = payload + <usize>formsAt(payload);
  const n = load<u32>(payload, 8);
  const count = countLiterals(form, n, bytes);
  const front = length - bytes + count;
  memory.copy(out, payload, at);
  let literal = payload + at;
  let head = out + at;
  let tail = out + front;
  for (const end = form + n; form != end; form++) {
    const size = lengthOf(<u32>load<u8>(form));
    if (size == 0) continue;
    store<u64>(tail, load<u64>(literal));
    tail += size - 1;
    literal += size;
    store<u8>(head++, load<u8>(literal - 1));
  }
  memory.copy(head, literal, payload + length - literal);
  return front;
}

/**
 * Joins the front of `front` bytes at `parts` and the tails that follow it, `length` bytes together, to the
 * payload at `out`; 8 bytes after it may be overwritten. Returns false, having written nothing, if they are
 * no parts of one payload.
 */
export function joinLiterals(parts: usize, front: u32, length: u32, out: usize): bool {
  if (front < PAYLOAD_HEADER || front > length) return false;
  const tails = length - front;
  const at = literalsAt(parts);
  if (at > <u64>front) return false;
  const bytes = load<u32>(parts, 20);
  if (tails == bytes) {
    memory.copy(out, parts, <usize>at);
    memory.copy(out + <usize>at, parts + front, bytes);
    memory.copy(out + <usize>at + bytes, parts + <usize>at, front - <usize>at);
    return true;
  }
  let form = parts + <usize>formsAt(parts);
  const n = load<u32>(parts, 8);
  const count = countLiterals(form, n, bytes);
  if (count < 0 || bytes - count != tails || at + count > <u64>front) return false;
  memory.copy(out, parts, <usize>at);
  let head = parts + <usize>at;
  let tail = parts + front;
  let literal = out + <usize>at;
  for (const end = form + n; form != end; form++) {
    const size = lengthOf(<u32>load<u8>(form));
    if (size == 0) continue;
    store<u64>(literal, load<u64>(tail));
    tail += size - 1;
    literal += size;
    store<u8>(literal - 1, load<u8>(head++));
  }
  memory.copy(literal, head, parts + front - head);
  return true;
}
