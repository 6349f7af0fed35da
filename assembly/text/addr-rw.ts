/**
 * Lines with an address and a letter or word for the kind, in any of the orders that simulators use:
 *
 *   0x12345680 R            ADDRESS KIND [SIZE]          Ramulator, DRAMSim
 *   l 0x1fffff50 4          KIND ADDRESS [SIZE]          Ramulator 2, cache simulators
 *   0 w 0x7fff11c4b2c8 8    THREAD KIND ADDRESS [SIZE]   Pin cache tracers
 *   12: Write 0x7ffde0      TIME: KIND ADDRESS [SIZE]    DRAMSys
 *
 * Addresses are hexadecimal, with or without 0x; decimal ones are read only if the caller says so, since
 * "140189" may be either. Ramulator 2 writes an address of several parts with commas between them; that is an
 * address only if all are the same.
 */
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_VECTOR,
  find,
  INSTRUCTION,
  isBlank,
  isDigit,
  Lines,
  LOAD,
  MODIFY,
  NONE,
  peek,
  put,
  refuse,
  skipBlanks,
  skipToken,
  STORE,
  takeAddress,
  takeByte,
  takeDecimal,
  takeHexMark,
  takeSize,
  takeWord,
  WORD_READ,
  WORD_LD,
  WORD_WRITE,
  WORD_ST,
  WORD_IFETCH,
} from "./lines";
import { threadOf } from "./threads";

const COLON: u32 = 0x3a;
const COMMA: u32 = 0x2c;

/** What takeWord makes of "r", "rd", "read", "readd", "l", "ld", "load" … */
const R: u64 = 0x72;
const RD: u64 = 0x6472;
const READD: u64 = 0x6464616572;
const L: u64 = 0x6c;
const WORD_LOAD: u64 = 0x64616f6c;
const W: u64 = 0x77;
const WR: u64 = 0x7277;
const S: u64 = 0x73;
const WORD_STORE: u64 = 0x65726f7473;
const M: u64 = 0x6d;
const WORD_MODIFY: u64 = 0x796669646f6d;
const I: u64 = 0x69;
const READI: u64 = 0x6964616572;

function kindOf(word: u64): u32 {
  if (word == R || word == L || word == WORD_LD || word == WORD_READ || word == WORD_LOAD) return LOAD;
  if (word == W || word == S || word == WORD_ST || word == WORD_WRITE || word == WORD_STORE) return STORE;
  if (word == RD || word == READD) return LOAD;
  if (word == WR) return STORE;
  if (word == M || word == WORD_MODIFY) return MODIFY;
  return word == I || word == READI || word == WORD_IFETCH ? INSTRUCTION : NONE;
}

/** Takes a kind, which a blank or the line's end follows; NONE, without moving, if there is none. */
export function takeKind(s: Lines): u32 {
  const from = s.at;
  const kind = kindOf(takeWord(s));
  if (kind != NONE && (s.at == s.end || isBlank(load<u8>(s.at)))) return kind;
  s.at = from;
  return NONE;
}

/** Whether two tokens follow, or one that begins with 0x: an address, and perhaps its size. */
function hasAddress(s: Lines): bool {
  const from = s.at;
  skipBlanks(s);
  const marked = takeHexMark(s);
  skipToken(s);
  const more = find(s.at, s.end, " ") != 0 || find(s.at, s.end, "\t") != 0;
  s.at = from;
  return marked || more;
}

/** The rest of `KIND ADDRESS [SIZE]`, from the address on. */
function addressLine(s: Lines, kind: u32, thread: u32): bool {
  skipBlanks(s);
  if (!takeAddress(s)) return refuse(s, ERROR_ADDRESS);
  const address = s.value;
  while (takeByte(s, COMMA)) {
    if (!takeAddress(s)) return refuse(s, ERROR_ADDRESS);
    if (s.value != address) return refuse(s, ERROR_VECTOR);
  }
  if (s.at != s.end && !isBlank(load<u8>(s.at))) return refuse(s, ERROR_ADDRESS);
  if (!takeSize(s)) return false;
  if (s.at != s.end) return refuse(s, ERROR_LINE);
  put(s, address, s.value, kind, 0, thread, 0);
  return true;
}

export function addrRwLine(s: Lines): bool {
  let kind = takeKind(s);
  if (kind != NONE) return addressLine(s, kind, 0);
  const first = s.at;
  if (isDigit(peek(s)) && takeDecimal(s) && takeByte(s, COLON)) {
    skipBlanks(s);
    kind = takeKind(s);
    return kind == NONE ? refuse(s, ERROR_LINE) : addressLine(s, kind, 0);
  }
  s.at = first;
  if (!takeAddress(s)) return refuse(s, ERROR_LINE);
  const address = s.value;
  if (s.at == s.end || !skipBlanks(s)) return refuse(s, ERROR_LINE);
  kind = takeKind(s);
  if (kind == NONE) return refuse(s, ERROR_LINE);
  if (!hasAddress(s)) {
    if (!takeSize(s)) return false;
    if (s.at != s.end) return refuse(s, ERROR_LINE);
    put(s, address, s.value, kind, 0, 0, 0);
    return true;
  }
  const after = s.at;
  s.at = first;
  const named = takeDecimal(s) && isBlank(peek(s));
  const thread = s.value;
  s.at = after;
  return named ? addressLine(s, kind, threadOf(s, thread)) : refuse(s, ERROR_LINE);
}
