/**
 * Names files that are no lackey traces, by their first bytes or lines, and says what to do with them. The
 * command asks when a file cannot be decoded from its first lines on.
 */

/** A file's format in words, "an xz archive", and what to do with it; "" if there is nothing to do. */
export interface Recognized {
  what: string;
  advice: string;
}

/** Advice; the command puts the file's name in the place of FILE. */
const unpack = (command: string): string => `unpack it: ${command} FILE | heteromem run -`;
const NOT_A_TRACE = "this is not a trace";

/** Formats by the bytes at an offset. */
const MAGIC: readonly (readonly [offset: number, bytes: string, what: string, advice: string])[] = [
  [0, "\xfd7zXZ\0", "xz-compressed", unpack("xz -dc")],
  [0, "BZh", "bzip2-compressed", unpack("bzip2 -dc")],
  [0, "\x28\xb5\x2f\xfd", "zstd-compressed twice", unpack("zstd -dc")],
  [0, "\x04\x22\x4d\x18", "lz4-compressed", unpack("lz4 -dc")],
  [0, "LZIP", "lzip-compressed", unpack("lzip -dc")],
  [0, "\x89LZO", "lzop-compressed", unpack("lzop -dc")],
  [0, "\x1f\x9d", "compressed by compress(1)", unpack("uncompress -c")],
  [0, "\x1f\x8b", "gzip-compressed twice", unpack("gzip -dc")],
  [0, "PK\x03\x04", "a zip archive", unpack("unzip -p")],
  [0, "PK\x05\x06", "an empty zip archive", NOT_A_TRACE],
  [0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", unpack("7z x -so")],
  [0, "Rar!\x1a\x07", "a RAR archive", unpack("unrar p -inul")],
  [257, "ustar", "a tar archive", unpack("tar -xOf")],
  [0, "!<arch>\n", "an ar archive", NOT_A_TRACE],
  [0, "\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE | heteromem run -"],
  [0, "\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE | heteromem run -"],
  [
    0,
    "\x7fELF",
    "an ELF program",
    "run it under valgrind, and give heteromem the log; --binary takes the program",
  ],
  [0, "MZ", "a Windows program", NOT_A_TRACE],
  [0, "\xcf\xfa\xed\xfe", "a Mach-O program", NOT_A_TRACE],
  [0, "\xca\xfe\xba\xbe", "a Mach-O program or Java class", NOT_A_TRACE],
  [0, "\0asm", "a WebAssembly module", NOT_A_TRACE],
  [
    0,
    "PERFILE2",
    "a perf.data file",
    "it has samples, and a simulation needs all accesses; page faults: perf script -i FILE | heteromem run -",
  ],
  [0, "SQLite format 3\0", "an SQLite database", NOT_A_TRACE],
  [0, "\x89PNG", "a PNG image", NOT_A_TRACE],
  [0, "\xff\xd8\xff", "a JPEG image", NOT_A_TRACE],
  [0, "GIF8", "a GIF image", NOT_A_TRACE],
  [0, "%PDF", "a PDF document", NOT_A_TRACE],
];

/** What a file of another format is read by: a command that turns it into lines of `addr-rw`. */
const asLines = (command: string, format = "addr-rw"): string =>
  `read it by: ${command} | heteromem run --format ${format} -`;
const RECORD =
  "record the program itself: heteromem run reads valgrind's lackey, NVBit's mem_trace, and docs/record.md";
const readAs = (format: string): string => `read it by --format ${format}`;

/**
 * Formats by their lines, and what to do. The first row wins of which a line among the first ones matches.
 * The command comes here for formats that it reads (formats.ts) if the user has named another one.
 */
const LINES: readonly (readonly [line: RegExp, what: string, advice: string])[] = [
  [/^MEMTRACE: CTX /, "the output of NVBit's mem_trace", readAs("nvbit")],
  [
    /^[0-9a-f]{4} [0-9a-f]{8} \d+ (?:R\d+ )*[A-Z][A-Z0-9]*(?:\.[A-Z0-9]+)* /,
    "an Accel-Sim trace (.traceg)",
    "its addresses are packed; record the program with NVBit's mem_trace, which heteromem run reads",
  ],
  [
    /^\s*\d+\s+\d+:\s+\d+ (?:<marker|ifetch|read|write)/,
    "the output of DynamoRIO's drmemtrace view tool",
    readAs("drmemtrace"),
  ],
  [
    /^\d+: system\.\S+: (?:T\d+ : )?0x/,
    "a gem5 Exec trace",
    asLines("sed -nE 's/.*: Mem(Read|Write) : .*A=(0x[0-9a-f]+).*/\\1 \\2/p' FILE"),
  ],
  [
    /^\s*\d+: system\.\S+: (?:Read|Write)/,
    "a gem5 memory trace",
    `its addresses are physical; ${asLines(
      "sed -nE 's/.*: (Read|Write) of size ([0-9]+) on address (0x[0-9a-f]+).*/\\1 \\3 \\2/p' FILE",
    )}`,
  ],
  [
    /^[ruw],\d+,\d+,\d+\s*$/,
    "a gem5 packet trace",
    `its addresses are physical; ${asLines("awk -F, '{print $1, $3, $2}' FILE", "addr-rw:decimal")}`,
  ],
  [/^\d+:\t(?:Read|Write)\t0x/i, "a DRAMSys trace (.stl)", readAs("addr-rw")],
  [/^\[ *\d+\.\d+\] \w+,\d+/, "a log of the kernel's HMM or UVM faults", RECORD],
  [
    /^\d+,\d+,\d+,-;/,
    "a log of the NVIDIA driver's UVM faults",
    `it has faults, and a simulation needs all accesses; ${RECORD}`,
  ],
  [
    /^\d\d:\d\d:\d\d \d+ +\S+ +(?:READ|WRITE|EXEC)/i,
    "the output of pagefaultsnoop",
    asLines("awk '{print $4, $NF}' FILE"),
  ],
  [
    /^ *\S+ +\d+ +\d+\.\d+: .*(?:mem-loads|mem-stores|page-faults)/,
    "the output of perf script",
    readAs("perf-script"),
  ],
  [/^(?:readi|readd|read|write) 0x[0-9a-f]+ \d+/i, "a trace of a changed Cachegrind", readAs("addr-rw")],
  [/^0x[0-9a-f]+: [RW] 0x/i, "the output of Pin's pinatrace", readAs("pinatrace")],
  [/^\d+ [rw] 0x[0-9a-f]+ \d+/i, "a Pin cache trace", readAs("addr-rw")],
  [/^[RW] \d+,\d+/i, "a Ramulator 2 trace with decimal addresses", readAs("addr-rw:decimal")],
  [/^(?:LD|ST) 0x/i, "a Ramulator 2 load-store trace", readAs("addr-rw")],
  [/^(?:0x)?[0-9a-f]+ [RW]\s*$/i, "a trace of ADDRESS R|W lines (Ramulator, DRAMSim)", readAs("addr-rw")],
  [/^[rw] 0x[0-9a-f]+/i, "a trace of R|W ADDRESS lines", readAs("addr-rw")],
  [/^[ls] 0x[0-9a-f]+/, "a trace of l|s ADDRESS lines", readAs("addr-rw")],
  [/^[LSM]\s+0x[0-9a-f]+/i, "a trace of L|S ADDRESS lines without sizes", readAs("addr-rw")],
  [/^[0-4] [0-9a-f]+\s*$/i, "a Dinero trace (.din)", readAs("dinero")],
  [
    /^[IRWM]\d*[RW]?[0-9a-f]+:\d+\s*$/i,
    "a trace of a valgrind tool other than lackey",
    "record with valgrind --tool=lackey --trace-mem=yes",
  ],
  [/^0x[0-9a-f]+\s*$/i, "a list of addresses without kinds and sizes", asLines("sed 's/^/R /' FILE")],
  [/^\s*[{[]/, "JSON", "heteromem run reads no JSON"],
  [/^\s*</, "HTML or XML", NOT_A_TRACE],
];

/** Lines at the beginning of a file that are looked at. */
const LINES_MAX = 20;

/**
 * The first whole lines of a text that say something: no blank ones, and no comments. None of binary bytes.
 */
export function textLines(head: Uint8Array): string[] {
  if (!isText(head)) return [];
  const text = new TextDecoder("latin1").decode(head).replace(/^\xef\xbb\xbf/, "");
  const all = text.split("\n", LINES_MAX + 1);
  const whole = all.length > LINES_MAX || (all.length > 1 && !text.endsWith("\n")) ? all.slice(0, -1) : all;
  return whole
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

/** Whether bytes look like text. */
export function isText(head: Uint8Array): boolean {
  return !isBinary(head) && !isWide(head);
}

function hasBytes(head: Uint8Array, offset: number, bytes: string): boolean {
  return [...bytes].every((char, i) => head[offset + i] === char.charCodeAt(0));
}

/** Bytes that no text has. */
function isBinary(head: Uint8Array): boolean {
  const odd = head.filter((byte) => byte < 9 || (byte > 13 && byte < 32) || byte === 127);
  return odd.length > head.length / 50;
}

/** Whether every second byte is NUL: UTF-16 without its mark. */
function isWide(head: Uint8Array): boolean {
  const zeros = [0, 1].map((odd) => head.filter((byte, i) => i % 2 === odd && byte === 0).length);
  return head.length > 8 && Math.max(...zeros) > head.length / 2.5 && Math.min(...zeros) === 0;
}

/**
 * Names a file by its first bytes, decompressed; null if it has no known magic number and looks like text.
 */
export function recognizeBytes(head: Uint8Array): Recognized | null {
  const found = MAGIC.find(([offset, bytes]) => hasBytes(head, offset, bytes));
  if (found !== undefined) return { what: found[2], advice: found[3] };
  if (isWide(head)) {
    return { what: "UTF-16 text", advice: "convert it: iconv -f UTF-16LE -t UTF-8 FILE | heteromem run -" };
  }
  if (!isBinary(head)) return null;
  const advice = "heteromem run reads text, .hmt, and with --format champsim ChampSim's traces";
  return { what: head.length % 64 === 0 ? "binary, maybe a ChampSim trace" : "binary", advice };
}

/** Names a file by its first lines; null if they are of no known format. */
export function recognizeText(head: string): Recognized | null {
  const lines = head
    .split("\n", LINES_MAX)
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const found = LINES.find(([pattern]) => lines.some((line) => pattern.test(line)));
  return found === undefined ? null : { what: found[1], advice: found[2] };
}
