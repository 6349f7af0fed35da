/**
 * The output of DynamoRIO's drmemtrace view tool: a line for each record, with the record's number, the
 * instruction's number, the thread, and what it is.
 *
 *   5   1:  1234567 ifetch   4 byte(s) @ 0x00007f59c2d002d3 48 89 e7   mov %rsp, %rdi
 *   6   1:  1234567 write    8 byte(s) @ 0x00007ffec2c3f8a8 by PC 0x00007f59c2d002d6
 *   7   1:  W0.T1234567 <marker: version 6>
 *
 * Reads and writes give records; fetches are counted, and give runs if these are asked for. Markers,
 * prefetches and flushes are skipped, and so are the tool's own lines before and after.
 */
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_SIZE,
  fetched,
  find,
  isBlank,
  isDigit,
  Lines,
  LOAD,
  peek,
  put,
  refuse,
  SIZE_MAX,
  skip,
  skipBlanks,
  STORE,
  takeByte,
  takeDecimal,
  takeHex,
  takeText,
  takeWord,
  WORD_READ,
  WORD_WRITE,
  WORD_IFETCH,
} from "./lines";
import { threadOf } from "./threads";

const COLON: u32 = 0x3a;

/** Takes `1234567` or `W0.T1234567` into `value`. */
function takeThread(s: Lines): bool {
  if (takeText(s, "W") && !(takeDecimal(s) && takeText(s, ".T"))) return false;
  return takeDecimal(s) && isBlank(peek(s));
}

/** What follows `read` or `write`: `8 byte(s) @ 0x… by PC 0x…`. */
function accessLine(s: Lines, kind: u32, thread: u32): bool {
  skipBlanks(s);
  if (!takeDecimal(s) || s.value - 1 >= SIZE_MAX) return refuse(s, ERROR_SIZE);
  const size = s.value;
  skipBlanks(s);
  if (!takeText(s, "byte(s) @ ") || !takeHex(s)) return refuse(s, ERROR_ADDRESS);
  const address = s.value;
  if (s.at != s.end && !isBlank(peek(s))) return refuse(s, ERROR_ADDRESS);
  const by = find(s.at, s.end, " by PC ");
  s.value = 0;
  if (by != 0) {
    s.at = by + 7;
    if (!takeHex(s)) return refuse(s, ERROR_ADDRESS);
  }
  put(s, address, size, kind, 0, thread, <u32>s.value);
  return true;
}

export function drmemtraceLine(s: Lines): bool {
  if (!isDigit(peek(s))) return skip(s); // a heading
  if (!takeDecimal(s) || !skipBlanks(s)) return refuse(s, ERROR_LINE);
  if (takeByte(s, COLON)) return skip(s); // a sum
  if (!takeDecimal(s) || !takeByte(s, COLON)) return refuse(s, ERROR_LINE);
  skipBlanks(s);
  if (!takeThread(s)) return refuse(s, ERROR_LINE);
  const thread = s.value;
  skipBlanks(s);
  const word = takeWord(s);
  if (word == WORD_IFETCH) {
    fetched(s, s.runs == 0 ? 0 : threadOf(s, thread));
    return true;
  }
  if (!isBlank(peek(s)) || (word != WORD_READ && word != WORD_WRITE)) return skip(s);
  return accessLine(s, word == WORD_READ ? LOAD : STORE, threadOf(s, thread));
}
