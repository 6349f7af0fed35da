/**
 * Dinero's din format: `LABEL ADDRESS`, the address hexadecimal. Labels: 0 read, 1 write, 2 fetch of an
 * instruction; 3 and 4 (escape, flush) are commands for Dinero. What follows the address is ignored, as
 * Dinero does.
 */
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  INSTRUCTION,
  isBlank,
  Lines,
  LOAD,
  peek,
  put,
  refuse,
  skip,
  skipBlanks,
  STORE,
  takeHex,
} from "./lines";

const ZERO: u32 = 0x30;

export function dineroLine(s: Lines): bool {
  const label = peek(s) - ZERO;
  if (label > 4) return refuse(s, ERROR_LINE);
  s.at++;
  if (s.at == s.end || !skipBlanks(s)) return refuse(s, ERROR_LINE);
  if (!takeHex(s) || (s.at != s.end && !isBlank(peek(s)))) return refuse(s, ERROR_ADDRESS);
  if (label > 2) return skip(s);
  put(s, s.value, s.size, label == 0 ? LOAD : label == 1 ? STORE : INSTRUCTION, 0, 0, 0);
  return true;
}
