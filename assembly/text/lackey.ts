/**
 * A streaming decoder of the output of `valgrind --tool=lackey --trace-mem=yes`.
 *
 *   I  04001000,3     an instruction of 3 bytes: decides the agent (offload.ts); only runs give records
 *    L 1ffeffe7e0,8   a load of 8 bytes        ┐
 *    S 1ffeffe7e0,8   a store                  ├ a record each
 *    M 1ffeffe7e0,8   a load, then a store     ┘
 *   SB 04001000       a superblock, with --trace-superblocks=yes: skipped and counted
 *   ==123== text      valgrind's own messages, also with -- or **: skipped and counted, as are blank lines
 *
 * Blanks may be missing before L, S and M, and stand after any line; one or more follow the letter. A byte
 * order mark may open the file. Accesses at 2^47 and above (the kernel's half, such as the vsyscall page) are
 * counted and give no record.
 *
 * Lines name no process, but valgrind's messages do. Where several processes write to one file, lines count
 * for the process that the last message names; `pid` selects one process.
 *
 *   ┌────────┬─────────────────┬─────────────────────────┬────────┐
 *   │ margin │ incomplete line │ input: chunk            │ margin │      output: records of one chunk
 *   └────────┴─────────────────┴─────────────────────────┴────────┘
 *
 * The caller writes a chunk at `input`. The incomplete line at its end moves to before `input`, so that the
 * next chunk completes it in place. Lines are read 16 bytes at a time; the margins keep such reads inside the
 * buffer. Decoding allocates nothing. `output` has room for a record of each line of a chunk, and for the
 * records of one access of SIZE_MAX bytes; where several such accesses need more, decoding pauses.
 *
 * Usual lines go through fast-lines.ts. All others go to `slowLine`, which knows every form and every rule;
 * access.ts has what their accesses give.
 */
import { RECORD_BYTES } from "../abi/record";
import { endRun, I, isLearning, L, M, PIECES_MAX, S, SIZE_MAX, takeAccess } from "./access";
import { fastLines } from "./fast-lines";
import { areNibbles, hexNibbles, joinNibbles, keepLast } from "./hex";
import { Offload } from "./offload";
import { COMMA, Lackey, PIDS_MAX, ZERO } from "./state";

/** The longest line that may be split over two chunks. Only a comment may be longer. */
const CARRY_BYTES: usize = 1024;
/** Bytes before and after the text that may be read. */
const MARGIN_BYTES: usize = 64;
/** The shortest line that gives a record: "L 0,1\n". */
const LINE_BYTES_MIN: usize = 6;

const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const SPACE: u32 = 0x20;
const TAB: u32 = 0x09;
const BYTE_ORDER_MARK: u32 = 0xbfbbef;
/** "SB " and "valg". */
const SUPERBLOCK: u32 = 0x204253;
const VALGRIND: u32 = 0x676c6176;

/** What is wrong with a line; index.ts has the words. */
export const ERROR_LINE: u32 = 1;
export const ERROR_ADDRESS: u32 = 2;
export const ERROR_SIZE: u32 = 3;
export const ERROR_LONG: u32 = 4;
/** The line begins with NUL bytes: the file was not written to its end. */
export const ERROR_NUL: u32 = 5;
/** Valgrind reports an error of its own. */
export const ERROR_VALGRIND: u32 = 6;

/** Allocates a decoder of chunks of at most `capacity` bytes; it owns `offload`. */
export function lackeyNew(capacity: usize, offload: Offload): Lackey {
  const s = changetype<Lackey>(heap.alloc(offsetof<Lackey>()));
  memory.fill(changetype<usize>(s), 0, offsetof<Lackey>());
  const bytes = MARGIN_BYTES + CARRY_BYTES + capacity + MARGIN_BYTES;
  const buffer = heap.alloc(bytes);
  memory.fill(buffer, 0, bytes);
  s.input = buffer + MARGIN_BYTES + CARRY_BYTES;
  s.capacity = capacity;
  s.output = heap.alloc(roomFor(CARRY_BYTES + capacity));
  s.pids = heap.alloc(PIDS_MAX * 4);
  s.offload = offload;
  return s;
}

/** The bytes of the records that `length` bytes of text can give before decoding pauses. */
@inline
function roomFor(length: usize): usize {
  return (length / LINE_BYTES_MIN + 1 + PIECES_MAX) * RECORD_BYTES;
}

/** Frees the decoder, its buffers and its offload rule. */
export function lackeyFree(s: Lackey): void {
  heap.free(s.input - CARRY_BYTES - MARGIN_BYTES);
  heap.free(s.output);
  heap.free(s.pids);
  heap.free(changetype<usize>(s.offload));
  heap.free(changetype<usize>(s));
}

/** The end of the line at `p`, or `end` if the line is not complete. */
function lineEnd(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) != LF) p++;
  return p;
}

/** Whether the line at `p` is valgrind's own: a mark twice, then the process id. */
function isComment(p: usize): bool {
  const mark = <u32>load<u8>(p);
  if (mark != 0x3d && mark != 0x2d && mark != 0x2a) return false; // = - *
  return load<u8>(p, 1) == mark && <u32>load<u8>(p, 2) - ZERO < 10;
}

/** Notes the process that the comment at `p` names: its number stands between two pairs of the same mark. */
function notePid(s: Lackey, p: usize, end: usize): void {
  const mark = load<u16>(p);
  let pid: u32 = 0;
  for (p += 2; p < end && <u32>load<u8>(p) - ZERO < 10; p++) pid = pid * 10 + load<u8>(p) - ZERO;
  if (p + 2 > end || load<u16>(p) != mark || pid == s.currentPid) return;
  s.currentPid = pid;
  s.last = 0;
  for (let i: u32 = 0; i < s.processes; i++) if (load<u32>(s.pids + i * 4) == pid) return;
  if (s.processes == PIDS_MAX) return;
  store<u32>(s.pids + s.processes * 4, pid);
  s.processes++;
}

/** Whether a character is a blank, or the first half of a Windows line end. */
@inline
function isBlank(c: u32): bool {
  return c == SPACE || c == TAB || c == CR;
}

/** The first character of [p, end) that is no blank, or `end`. */
function skipBlanks(p: usize, end: usize): usize {
  while (p < end && isBlank(load<u8>(p))) p++;
  return p;
}

/** Notes what is wrong with the line at `p`, or counts it if such lines are to be skipped. */
function refuse(s: Lackey, error: u32, p: usize): bool {
  if (s.skipForeign != 0) {
    s.foreign++;
    s.lines++;
    return true;
  }
  s.error = error;
  s.errorAt = p;
  return false;
}

/** Decodes one line of any form. Returns false, with the error set, if it is no line of a trace. */
function slowLine(s: Lackey, p: usize, end: usize): bool {
  if (s.lines == 0 && (load<u32>(p) & 0xffffff) == BYTE_ORDER_MARK) p += 3;
  const e = lineEnd(p, end);
  s.lineEnd = e;
  if (isComment(p)) {
    notePid(s, p, e);
    s.comments++;
    s.lines++;
    return true;
  }
  if (isMuted(s)) {
    s.otherPid++;
    s.lines++;
    return true;
  }
  const q = skipBlanks(p, e);
  if (q == e) {
    s.lines++;
    return true;
  }
  const letter = <u32>load<u8>(q);
  if ((letter == I || letter == L || letter == S || letter == M) && q + 1 < e && isBlank(load<u8>(q, 1)))
    return accessLine(s, letter, skipBlanks(q + 1, e), e, p);
  if ((load<u32>(q) & 0xffffff) == SUPERBLOCK) {
    s.superblocks++;
    s.lines++;
    return true;
  }
  if (letter == 0) return refuse(s, ERROR_NUL, p);
  return refuse(s, load<u32>(p) == VALGRIND ? ERROR_VALGRIND : ERROR_LINE, p);
}

/** Whether the lines from here on are another process's than the one that is asked for. */
@inline
function isMuted(s: Lackey): bool {
  return s.pid != 0 && s.currentPid != s.pid;
}

/** Decodes the line at `line` of an access, the address of which begins at `p`. */
function accessLine(s: Lackey, letter: u32, p: usize, end: usize, line: usize): bool {
  let comma = p;
  while (comma < end && load<u8>(comma) != COMMA) comma++;
  const digits = comma - p;
  if (digits - 1 >= 16 || comma == end) return refuse(s, ERROR_ADDRESS, line);
  const nibbles = keepLast(hexNibbles(v128.load(comma - 16)), digits);
  if (!areNibbles(nibbles)) return refuse(s, ERROR_ADDRESS, line);
  let size: u32 = 0;
  let q = comma + 1;
  for (let digit = <u32>load<u8>(q) - ZERO; digit < 10; digit = <u32>load<u8>(++q) - ZERO) {
    size = min<u32>(size * 10 + digit, SIZE_MAX + 1);
  }
  if (size - 1 >= SIZE_MAX || skipBlanks(q, end) != end) return refuse(s, ERROR_SIZE, line);
  s.lines++;
  takeAccess(s, letter, joinNibbles(nibbles), size);
  return true;
}

/**
 * Decodes the chunk of `length` bytes at `input`, up to a wrong line, which is line `lines + 1`, or until
 * `output` is full: lackeyMore goes on then. Returns the number of records at `output`.
 */
export function lackeyDecode(s: Lackey, length: usize): u32 {
  s.out = s.output;
  if (s.error != 0) return 0;
  let p = s.input - s.carry;
  const end = s.input + length;
  s.carry = 0;
  if (s.dropping != 0) {
    p = lineEnd(p, end);
    if (p == end) return 0;
    p++; // after the newline
    s.dropping = 0;
  }
  s.at = p;
  s.complete = lastLineEnd(p, end);
  s.end = end;
  return lackeyMore(s);
}

/** Goes on with the chunk. Returns the number of further records at `output`; 0 at the chunk's end. */
export function lackeyMore(s: Lackey): u32 {
  s.out = s.output;
  if (s.error != 0 || s.end == 0) return 0;
  decodeLines(s);
  if (s.error == 0 && s.at == s.complete) {
    keepTail(s, s.complete, s.end);
    s.end = 0;
  }
  return <u32>((s.out - s.output) / RECORD_BYTES);
}

/** Ends the trace, whose last line is complete. Returns the number of further records at `output`. */
export function lackeyEnd(s: Lackey): u32 {
  s.out = s.output;
  endRun(s);
  const n = <u32>((s.out - s.output) / RECORD_BYTES);
  s.accesses += n;
  return n;
}

/** The address after the last newline of [p, end), or `p` if there is none. */
function lastLineEnd(p: usize, end: usize): usize {
  while (end > p && load<u8>(end - 1) != LF) end--;
  return end;
}

/** Moves the incomplete line [p, end) to before `input`, unless it is too long. */
function keepTail(s: Lackey, p: usize, end: usize): void {
  const bytes = end - p;
  if (bytes > CARRY_BYTES) {
    if (isComment(p)) {
      notePid(s, p, end);
      s.comments++;
      s.lines++;
      s.dropping = 1;
    } else if (refuse(s, load<u8>(p) == 0 ? ERROR_NUL : ERROR_LONG, p)) s.dropping = 1;
    return;
  }
  memory.copy(s.input - bytes, p, bytes);
  s.carry = bytes;
}

/**
 * Whether lines have to go through slowLine: other processes' lines, while the machine is unknown, and where
 * instructions give records.
 */
function isSlow(s: Lackey): bool {
  return isMuted(s) || isLearning(s) || s.runs != 0;
}

/** Decodes the complete lines from `at` on, up to the first wrong one, or until the output is full. */
function decodeLines(s: Lackey): void {
  let p = s.at;
  const end = s.complete;
  const full = s.output + roomFor(s.capacity + CARRY_BYTES);
  while (p < end && s.out + roomFor(end - p) <= full) {
    if (!isSlow(s)) p = fastLines(s, p, end);
    if (p == end) break;
    if (!slowLine(s, p, end)) break;
    p = s.lineEnd + 1;
  }
  s.at = p;
  s.accesses += (s.out - s.output) / RECORD_BYTES;
}
