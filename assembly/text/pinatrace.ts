/**
 * Pin's pinatrace: `0x7f1234: W 0x7fff11c4b2c8`, the code address first; some versions add size and value.
 */
import { takeKind } from "./addr-rw";
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_SIZE,
  isBlank,
  Lines,
  LOAD,
  peek,
  put,
  refuse,
  SIZE_MAX,
  skipBlanks,
  STORE,
  takeByte,
  takeDecimal,
  takeHex,
} from "./lines";

const COLON: u32 = 0x3a;

export function pinatraceLine(s: Lines): bool {
  if (!takeHex(s) || !takeByte(s, COLON)) return refuse(s, ERROR_LINE);
  const pc = s.value;
  skipBlanks(s);
  const kind = takeKind(s);
  if (kind != LOAD && kind != STORE) return refuse(s, ERROR_LINE);
  skipBlanks(s);
  if (!takeHex(s) || (s.at != s.end && !isBlank(peek(s)))) return refuse(s, ERROR_ADDRESS);
  const address = s.value;
  let size = <u64>s.size;
  if (s.at != s.end) {
    skipBlanks(s);
    if (!takeDecimal(s) || (s.at != s.end && !isBlank(peek(s))) || s.value - 1 >= SIZE_MAX)
      return refuse(s, ERROR_SIZE);
    size = s.value; // a value that stands behind it is of no use
  }
  put(s, address, size, kind, 0, 0, <u32>pc);
  return true;
}
