/**
 * The output of `perf script`: a line for each sample, with the command, the thread, the time, and the event.
 *
 *   prog 1234 12.345678:  1 page-faults:u:  7f3a2c001040 401156 main+0x16 (/tmp/prog)        perf record -d
 *   prog 1234 [001] 12.345678: exceptions:page_fault_user: address=0x7f3a2c001040 ip=0x401156 error_code=0x6
 *   prog 1234 12.345:  1 cpu/mem-loads,ldlat=30/P:  7f3a2c001040 |OP LOAD|LVL L1 hit … 401156 kernel+0x10
 *   prog 1234 12.345:  1 cpu/mem-stores/P:  7f3a2c001040 401156 kernel+0x10                  perf script -F
 *
 * A page fault is an access to its address. A software event does not tell loads from stores, so it counts as
 * a load; the tracepoint does, by bit 1 of its error code. Samples of mem-loads and mem-stores are accesses.
 * Other events are skipped, and so are call chains, which are indented.
 */
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_NO_DATA,
  find,
  isBlank,
  isDigit,
  Lines,
  LOAD,
  NONE,
  peek,
  put,
  refuse,
  skip,
  skipBlanks,
  skipToken,
  STORE,
  takeByte,
  takeDecimal,
  takeHex,
} from "./lines";
import { threadOf } from "./threads";

const COLON: u32 = 0x3a;
const DOT: u32 = 0x2e;
const SLASH: u32 = 0x2f;
const BAR: u32 = 0x7c;
/** The bit of a page fault's error code that says that it was a write. */
const FAULT_WRITE: u64 = 2;

/** Takes `12.345678:`; false, without moving, if another token is next. */
function takeTime(s: Lines): bool {
  const from = s.at;
  if (takeDecimal(s) && takeByte(s, DOT) && takeDecimal(s) && takeByte(s, COLON)) return true;
  s.at = from;
  return false;
}

/** Takes `1234` or `1230/1234`, a thread, into `value`; false, without moving, if another token is next. */
function takeThread(s: Lines): bool {
  const from = s.at;
  if (takeDecimal(s) && (!takeByte(s, SLASH) || takeDecimal(s)) && isBlank(peek(s))) return true;
  s.at = from;
  return false;
}

/** Moves behind the time. Returns whether there is one, and leaves the thread before it in `value`. */
function takeHead(s: Lines): bool {
  let thread: u64 = 0;
  for (; s.at < s.end; skipBlanks(s)) {
    if (takeTime(s)) {
      s.value = thread;
      return true;
    }
    if (takeThread(s)) thread = s.value;
    else skipToken(s);
  }
  return false;
}

/** The kind of access that samples of the event in [p, end) are; NONE: they are none. */
function kindOf(p: usize, end: usize): u32 {
  if (find(p, end, "mem-stores") != 0) return STORE;
  if (find(p, end, "mem-loads") != 0 || find(p, end, "-faults") != 0) return LOAD;
  return NONE;
}

/** Takes the number behind `name` into `value`. */
function takeField(s: Lines, from: usize, name: string): bool {
  const at = find(from, s.end, name);
  s.at = at + <usize>name.length;
  return at != 0 && takeHex(s);
}

/** The rest of a line of the tracepoint, `address=… ip=… error_code=…`. */
function tracepoint(s: Lines, thread: u32): bool {
  const from = s.at;
  if (!takeField(s, from, "address=")) return refuse(s, ERROR_ADDRESS);
  const address = s.value;
  const ip = takeField(s, from, " ip=") ? <u32>s.value : 0;
  if (!takeField(s, from, "error_code=")) return refuse(s, ERROR_LINE);
  put(s, address, s.size, (s.value & FAULT_WRITE) != 0 ? STORE : LOAD, 0, thread, ip);
  return true;
}

export function perfScriptLine(s: Lines): bool {
  const line = s.at;
  if (!takeHead(s)) {
    // A line of a call chain: a code address and a function.
    s.at = line;
    return takeHex(s) && isBlank(peek(s)) ? skip(s) : refuse(s, ERROR_LINE);
  }
  const id = s.value;
  skipBlanks(s);
  let event = s.at;
  if (isDigit(peek(s)) && takeDecimal(s) && isBlank(peek(s))) {
    skipBlanks(s); // the period
    event = s.at;
  }
  skipToken(s);
  const end = s.at;
  if (end == event || load<u8>(end - 1) != COLON) return refuse(s, ERROR_LINE);
  if (find(event, end, ":page_fault_") != 0) return tracepoint(s, threadOf(s, id));
  const kind = kindOf(event, end);
  if (kind == NONE) return skip(s);
  skipBlanks(s);
  if (!takeHex(s) || (s.at != s.end && !isBlank(peek(s)))) return refuse(s, ERROR_NO_DATA);
  const address = s.value;
  let ip: u64 = 0;
  if (s.at != s.end) {
    skipBlanks(s);
    const isCode = takeHex(s) && (s.at == s.end || isBlank(peek(s)));
    if (!isCode && find(event, end, "-faults") != 0) return refuse(s, ERROR_NO_DATA);
    if (isCode) ip = s.value;
    skipBlanks(s);
    if (s.at != s.end && load<u8>(s.at) == BAR) ip = 0; // it was the number that the words after it explain
  }
  put(s, address, s.size, kind, 0, threadOf(s, id), <u32>ip);
  return true;
}
