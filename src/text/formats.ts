/**
 * The formats of traces that can be read: one table, by which a format is recognized, named by the user, and
 * decoded. docs/formats.md describes them; recognize.ts names files of other formats.
 */
import type { TraceDecoder } from "./decoder.ts";
import { HmtFormat } from "./hmt-format.ts";
import { isHmt } from "./hmt.ts";
import type { TextModule } from "./index.ts";
import { LackeyFormat } from "./lackey-format.ts";
import type { LackeyOptions } from "./lackey.ts";
import { LineDecoder, type LineFormat, type LineOptions } from "./line-decoder.ts";
import { isText, textLines } from "./recognize.ts";

/** How to decode: what lackey's decoder takes, and what the others do. */
export type FormatOptions = LackeyOptions & LineOptions;

/** A format of traces. */
export interface TraceFormat {
  name: string;
  /** What it is, in words that stand after "this is". */
  about: string;
  /** Options that `--format NAME:…` may have. */
  options: readonly ("decimal" | "size")[];
  /** Whether the first bytes of a file, some hundred or more if it has them, are of this format. */
  recognize(head: Uint8Array): boolean;
  /** Makes a decoder in the text module. It rejects or throws RangeError for options that cannot be. */
  make(text: TextModule, options: FormatOptions): TraceDecoder | Promise<TraceDecoder>;
}

/** A format whose lines tell it: `some` of the first lines matches, or `every` one that is no comment. */
function lineFormat(
  name: LineFormat,
  about: string,
  rule: { some: RegExp } | { every: RegExp },
  options: TraceFormat["options"],
): TraceFormat {
  return {
    name,
    about,
    options,
    recognize(head) {
      const lines = textLines(head);
      if ("some" in rule) return lines.some((line) => rule.some.test(line));
      return lines.length > 0 && lines.every((line) => rule.every.test(line));
    },
    make: (text, settings) => new LineDecoder(text, name, settings),
  };
}

const KIND = "(?:r|rd|read|readd|readi|l|ld|load|w|wr|write|s|st|store|m|modify|i|ifetch)";
const ADDRESS = "(?:0x)?[0-9a-f]{1,16}";
/** A line that begins with a blank may be one of lackey's that was cut off. */
const ADDR_RW = new RegExp(
  `^(?:${ADDRESS}\\s+${KIND}|(?:\\d+:?\\s+)?${KIND}\\s+${ADDRESS})(?:\\s+\\d+)?\\s*$`,
  "i",
);
/** Instructions of a ChampSim trace that are looked at. */
const CHAMPSIM_BYTES = 64;

/** Whether all whole instructions have what those of ChampSim have; text never does. */
function isChampsim(head: Uint8Array): boolean {
  const count = Math.floor(head.length / CHAMPSIM_BYTES);
  if (count === 0 || isText(head)) return false;
  for (let at = 0; at < count * CHAMPSIM_BYTES; at += CHAMPSIM_BYTES) {
    const [branch, taken] = [head[at + 8], head[at + 9]];
    const empty = head.subarray(at, at + CHAMPSIM_BYTES).every((byte) => byte === 0);
    if (branch > 1 || taken > branch || empty) return false;
  }
  return true;
}

const LACKEY_LINE = /^[ \t]*(?:I|[LSM])[ \t]+[0-9a-f]{1,16},\d+[ \t]*$|^==\d+==/i;

/** All formats, in the order in which a file is tried. */
export const FORMATS: readonly TraceFormat[] = [
  {
    name: "hmt",
    about: "an .hmt trace of heteromem",
    options: [],
    recognize: isHmt,
    make: (text, { file }) => HmtFormat.create(text, file),
  },
  {
    name: "lackey",
    about: "a trace of valgrind's lackey",
    options: [],
    recognize: (head) => textLines(head).some((line) => LACKEY_LINE.test(line)),
    make: (text, options) => new LackeyFormat(text, options),
  },
  lineFormat("nvbit", "the output of NVBit's mem_trace", { some: /^MEMTRACE: CTX / }, []),
  lineFormat(
    "drmemtrace",
    "the output of DynamoRIO's drmemtrace view tool",
    { some: /^\s*\d+\s+\d+:\s+(?:W\d+\.T)?\d+ +(?:<marker|ifetch|read|write)/ },
    [],
  ),
  lineFormat(
    "perf-script",
    "the output of perf script",
    { some: /^ *\S.* \d+\.\d+: .*(?:mem-loads|mem-stores|-faults|:page_fault_)/ },
    ["size"],
  ),
  lineFormat("pinatrace", "the output of Pin's pinatrace", { every: /^0x[0-9a-f]+: [RW] 0x[0-9a-f]+/i }, [
    "size",
  ]),
  lineFormat("dinero", "a Dinero trace (.din)", { every: /^\s*[0-4]\s+(?:0x)?[0-9a-f]{1,16}\s*$/i }, [
    "size",
  ]),
  lineFormat("addr-rw", "a trace of lines with an address and R or W", { every: ADDR_RW }, [
    "decimal",
    "size",
  ]),
  {
    name: "champsim",
    about: "a ChampSim trace",
    options: ["size"],
    recognize: isChampsim,
    make: (text, options) => new LineDecoder(text, "champsim", options),
  },
];

/** The format of a file by its first bytes, decompressed; null if none of them is recognized. */
export function recognizeFormat(head: Uint8Array): TraceFormat | null {
  return FORMATS.find((format) => format.recognize(head)) ?? null;
}

/**
 * Parses the value of `--format`: a name, and after a colon its options, `addr-rw:decimal,size=64`. Throws
 * RangeError with a message for the user.
 */
export function parseFormat(text: string): { format: TraceFormat; options: LineOptions } {
  const [name, ...rest] = text.split(":");
  const format = FORMATS.find((one) => one.name === name);
  if (format === undefined)
    throw new RangeError(`${text}: expected ${FORMATS.map((one) => one.name).join(", ")}`);
  const options: LineOptions = {};
  for (const item of rest.length === 0 ? [] : rest.join(":").split(",")) {
    const [, key, value] = /^(decimal|size)(?:=(\d{1,5}))?$/.exec(item) ?? [];
    const known = format.options.find((one) => one === key);
    if (known === "decimal" && value === undefined) options.decimal = true;
    else if (known === "size" && Number(value) >= 1 && Number(value) <= 65535) options.size = Number(value);
    else {
      const forms = format.options.map((one) => (one === "size" ? "size=1 … size=65535" : one));
      const may = forms.length === 0 ? "no options" : forms.join(", ");
      throw new RangeError(`${text}: '${item}' is no option of ${name}; it has ${may}`);
    }
  }
  return { format, options };
}
