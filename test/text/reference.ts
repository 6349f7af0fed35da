/**
 * Plain decoders of the formats that the text module reads, by regular expressions, one line at a time; and
 * random lines of each format with what they stand for.
 */
import type { Random } from "../../src/engine/random.ts";
import type { LineFormat } from "../../src/text/line-decoder.ts";

export interface PlainRecord {
  address: number;
  size: number;
  kind: number;
  agent: number;
  thread: number;
  id: number;
}

/** The records of some words, two a record. Words are read as halves: shifts of bigints take much longer. */
export function recordsOf(words: BigUint64Array): PlainRecord[] {
  const halves = new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
  const records: PlainRecord[] = [];
  for (let i = 0; i < halves.length; i += 4) {
    const [high, tail] = [halves[i + 1], halves[i + 2]];
    records.push({
      address: halves[i] + (high & 0xffff) * 2 ** 32,
      size: high >>> 16,
      kind: tail & 255,
      agent: (tail >>> 8) & 255,
      thread: tail >>> 16,
      id: halves[i + 3],
    });
  }
  return records;
}

const LOAD = 0;
const STORE = 1;
const MODIFY = 2;

const low = (text: string): number => Number(BigInt.asUintN(32, BigInt(`0x${text.replace(/^0x/i, "")}`)));

/** Numbers threads as they appear. */
class Threads {
  readonly #numbers = new Map<string, number>();
  of(key: string): number {
    if (!this.#numbers.has(key)) this.#numbers.set(key, this.#numbers.size);
    return this.#numbers.get(key)!;
  }
  clear(): void {
    this.#numbers.clear();
  }
}

type Line = (line: string) => PlainRecord[];
type Access = Partial<PlainRecord> & { digits: string; kind: number };

/** The record of an access whose address is written in hexadecimal; none in the kernel's half. */
function access({ digits, ...rest }: Access): PlainRecord[] {
  const address = BigInt(`0x${digits.replace(/^0x/i, "")}`);
  if (address >> 47n !== 0n) return [];
  return [{ size: 1, agent: 0, thread: 0, id: 0, ...rest, address: Number(address) }];
}

const KINDS: Record<string, number> = {
  ...Object.fromEntries(["r", "rd", "read", "readd", "l", "ld", "load"].map((word) => [word, LOAD])),
  ...Object.fromEntries(["w", "wr", "write", "s", "st", "store"].map((word) => [word, STORE])),
  ...Object.fromEntries(["m", "modify"].map((word) => [word, MODIFY])),
};

function addrRw(): Line {
  const threads = new Threads();
  return (line) => {
    const patterns = [
      /^(?<address>\w+)\s+(?<kind>[a-z]+)(?:\s+(?<size>\d+))?$/i,
      /^(?:\d+:\s*)?(?<kind>[a-z]+)\s+(?<address>\w+)(?:,\w+)*(?:\s+(?<size>\d+))?$/i,
      /^(?<thread>\d+)\s+(?<kind>[a-z]+)\s+(?<address>0x\w+)(?:\s+(?<size>\d+))?$/i,
      /^(?<thread>\d+)\s+(?<kind>[a-z]+)\s+(?<address>\w+)\s+(?<size>\d+)$/i,
    ];
    const found = patterns
      .map((pattern) => pattern.exec(line)?.groups)
      .find((groups) => groups !== undefined && /^(?:0x)?[0-9a-f]+$/i.test(groups.address))!;
    const kind = KINDS[found.kind.toLowerCase()];
    const thread = found.thread === undefined ? 0 : threads.of(found.thread);
    if (kind === undefined) return []; // an instruction
    return access({ digits: found.address, kind, size: Number(found.size ?? 1), thread });
  };
}

const pinatrace = (): Line => (line) => {
  const [, pc, letter, digits, size] = /^(\w+): ([RW]) (\w+)(?: (\d+).*)?$/.exec(line)!;
  return access({ digits, kind: letter === "R" ? LOAD : STORE, size: Number(size ?? 1), id: low(pc) });
};

const dinero = (): Line => (line) => {
  const [, label, digits] = /^(\d) (\w+)/.exec(line)!;
  return Number(label) > 1 ? [] : access({ digits, kind: Number(label) });
};

function perfScript(): Line {
  const threads = new Threads();
  return (line) => {
    const head = /^.* (?:\d+\/)?(\d+) (?:\[\d+\] )?\d+\.\d+: +(?:\d+ )?(\S+): +(.*)$/.exec(line);
    if (head === null) return []; // a call chain
    const [, tid, event, rest] = head;
    const point = /address=(?:0x)?(\w+) ip=(?:0x)?(\w+) error_code=0x(\w+)/.exec(rest);
    if (point !== null) {
      const [, digits, ip, code] = point;
      const kind = Number.parseInt(code, 16) & 2 ? STORE : LOAD;
      return access({ digits, kind, thread: threads.of(tid), id: low(ip) });
    }
    const kind = /mem-stores/.test(event) ? STORE : /mem-loads|-faults/.test(event) ? LOAD : null;
    if (kind === null) return [];
    const [digits, ip, after] = rest.split(" ");
    const isCode = ip !== undefined && /^[0-9a-f]+$/.test(ip) && !after?.startsWith("|");
    const id = isCode ? low(ip) : 0;
    return access({ digits, kind, thread: threads.of(tid), id });
  };
}

const BYTES: Record<string, number> = { 8: 1, 16: 2, 32: 4, 64: 8, 128: 16 };

function nvbit(): Line {
  const threads = new Threads();
  let grid: number | null = null;
  const mark = (kind: number, id: number): PlainRecord => ({
    address: 0,
    size: 0,
    kind,
    agent: 0,
    thread: 0,
    id,
  });
  return (line) => {
    const found = /grid_launch_id (\d+) - CTA (\S+) - warp (\d+) - ([A-Z]+)((?:\.\w+)*) - (.*)$/.exec(line);
    if (found === null) return [];
    const [, id, cta, warp, code, suffixes, lanes] = found;
    const marks: PlainRecord[] = [];
    if (grid !== Number(id)) {
      if (grid !== null) marks.push(mark(17, grid));
      grid = Number(id);
      marks.push(mark(16, grid));
      threads.clear();
    }
    const thread = threads.of(`${cta} ${warp}`);
    const kind = /^LDG?$|^LDGSTS$/.test(code) ? LOAD : /^STG?$/.test(code) ? STORE : MODIFY;
    if (kind === MODIFY && !/^(?:ATOMG?|RED)$/.test(code)) return marks;
    let size = 4;
    for (const [, bits, times] of suffixes.matchAll(/\.[A-Z]?(\d+)(?:x(\d+))?/g))
      size = BYTES[Number(bits) * Number(times ?? 1)] ?? size;
    const addresses = lanes.split(/ +/).filter((digits) => BigInt(digits) !== 0n);
    return [...marks, ...addresses.flatMap((digits) => access({ digits, kind, size, thread, agent: 1 }))];
  };
}

function drmemtrace(): Line {
  const threads = new Threads();
  return (line) => {
    const found = /^\d+ +\d+: +(?:W\d+\.T)?(\d+) (read|write) +(\d+) byte\(s\) @ (\w+)(?: by PC (\w+))?/.exec(
      line,
    );
    if (found === null) return [];
    const [, tid, kind, size, digits, pc] = found;
    const thread = threads.of(tid);
    return access({
      digits,
      kind: kind === "read" ? LOAD : STORE,
      size: Number(size),
      thread,
      id: low(pc ?? "0"),
    });
  };
}

const PLAIN: Record<Exclude<LineFormat, "champsim">, () => Line> = {
  "addr-rw": addrRw,
  pinatrace,
  dinero,
  "perf-script": perfScript,
  nvbit,
  drmemtrace,
};
export type TextFormat = keyof typeof PLAIN;
export const TEXT_FORMATS = Object.keys(PLAIN) as TextFormat[];

/** The records of valid lines. */
export function plainly(format: TextFormat, source: string): PlainRecord[] {
  const line = PLAIN[format]();
  const records = source
    .split("\n")
    .map((each) => each.trim())
    .filter((each) => each !== "" && !each.startsWith("#"))
    .flatMap(line);
  const marks = records.filter(({ kind }) => kind === 16);
  if (marks.length > 0) records.push({ ...marks[marks.length - 1], kind: 17 });
  return records;
}

/** Makes random lines of a format. */
export class RandomLines {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }
  #pick<T>(...from: T[]): T {
    return from[this.#random.below(from.length)];
  }
  #hex(): string {
    const digits = this.#pick(1, 7, 8, 12, 12, 16);
    return Array.from({ length: digits }, () => this.#random.below(16).toString(16)).join("");
  }
  #address(): string {
    return this.#pick(`0x${this.#hex()}`, `0X${this.#hex().toUpperCase()}`, `0x${this.#hex()}`);
  }
  #size(): number {
    return this.#pick(1, 4, 8, 8, 64, 65535);
  }
  #tid(): number {
    return this.#pick(1, 2, 77, 123456, 7654321);
  }

  line(format: TextFormat): string {
    const odd = this.#random.below(12);
    if (odd === 0) return this.#pick("", "# a comment", "#eof", "  \t");
    const text = this.#line(format);
    return odd === 1 ? this.#pick(`  ${text}`, `${text} \t`, `${text}\r`) : text;
  }

  #line(format: TextFormat): string {
    switch (format) {
      case "addr-rw":
        return this.#addrRw();
      case "pinatrace":
        return this.#pinatrace();
      case "dinero":
        return `${this.#random.below(5)} ${this.#hex()}${this.#pick("", "", " 12 x")}`;
      case "perf-script":
        return this.#perf();
      case "nvbit":
        return this.#nvbit();
      case "drmemtrace":
        return this.#drmemtrace();
    }
  }

  #pinatrace(): string {
    const rest = this.#pick("", "", ` ${this.#size()}`, " 8 0x12");
    return `0x${this.#hex()}: ${this.#pick("R", "W")} 0x${this.#hex()}${rest}`;
  }

  #addrRw(): string {
    const kind = this.#pick(...Object.keys(KINDS), "R", "W", "LD", "ST", "Write", "i", "readi", "ifetch");
    const size = this.#pick("", "", ` ${this.#size()}`);
    const bare = this.#pick(this.#address(), this.#hex());
    switch (this.#random.below(4)) {
      case 0:
        return `${bare}${this.#pick(" ", "\t")}${kind}${size}`;
      case 1:
        return `${kind} ${bare}${size}`;
      case 2:
        return `${this.#random.below(99)}: ${kind} ${bare}${size}`;
      default:
        return `${this.#tid()} ${kind} 0x${this.#hex()}${size}`;
    }
  }

  #perf(): string {
    const pid = this.#pick(`${this.#tid()}`, `1/${this.#tid()}`);
    const head = `${this.#pick("prog", "Web Content", "a 2 b")} ${pid} ${this.#pick("", "[001] ")}12.345678:`;
    const code = this.#random.below(16).toString(16);
    const line = this.#pick(
      `          1 page-faults:u:     ${this.#hex()} ${this.#hex()} main+0x16 (/tmp/prog)`,
      ` minor-faults:      ${this.#hex()}`,
      ` exceptions:page_fault_user: address=0x${this.#hex()} ip=0x${this.#hex()} error_code=0x${code}`,
      `   1 cpu/mem-loads,ldlat=30/P:  ${this.#hex()} |OP LOAD|LVL L1 hit`,
      `   1 cpu/mem-stores/P:  ${this.#hex()}`,
      `   1 cpu/mem-stores/P:  ${this.#hex()} ${this.#hex()}${this.#pick("", " main+0x16 (/tmp/prog)")}`,
      `   1 cpu/mem-loads/P:  ${this.#hex()} 5080021 |OP LOAD|LVL L1 hit`,
      `   1000 cycles:u:  401156 main+0x10 (/tmp/prog)`,
    );
    return this.#random.below(8) === 0 ? `\t  ${this.#hex()} main+0x10 (/tmp/prog)` : `${head}${line}`;
  }

  #nvbit(): string {
    if (this.#random.below(12) === 0)
      return this.#pick(
        "------ NVBit v1.5 ------",
        "the program prints",
        "MEMTRACE: CTX 0x1 - LAUNCH - Kernel pc 0x2",
      );
    const lanes = Array.from({ length: this.#pick(1, 2, 32) }, () =>
      this.#random.below(5) === 0 ? "0x0000000000000000" : `0x${this.#hex()}`,
    );
    const code = this.#pick(
      "LDG.E",
      "LDG.E.64.SYS",
      "STG.E.U8",
      "ATOMG.E.ADD.F16x2.RN",
      "RED.E.ADD.F32.FTZ.RN",
      "LDS",
      "STL.128",
      "LD.E.128",
      "LDGSTS.E.BYPASS.128",
      "CCTL.IVALL",
    );
    const cta = `${this.#random.below(3)},${this.#random.below(2)},0`;
    return (
      `MEMTRACE: CTX 0x000055d0c0 - grid_launch_id ${this.#random.below(20) === 0 ? 1 : 0} - CTA ${cta}` +
      ` - warp ${this.#random.below(4)} - ${code} - ${lanes.join(" ")}`
    );
  }

  #drmemtrace(): string {
    if (this.#random.below(12) === 0)
      return this.#pick(
        "Output format:",
        "------------",
        "View tool results:",
        "     10 : total instructions",
      );
    const [record, instruction] = [this.#random.below(99), this.#random.below(99)];
    const head = `${record}   ${instruction}:    ${this.#pick("", "W0.T")}${this.#tid()}`;
    return this.#pick(
      `${head} <marker: version 6>`,
      `${head} ifetch       4 byte(s) @ 0x${this.#hex()} 48 89 e7   mov    %rsp, %rdi`,
      `${head} write        ${this.#size()} byte(s) @ 0x${this.#hex()} by PC 0x${this.#hex()}`,
      `${head} read         ${this.#size()} byte(s) @ 0x${this.#hex()} by PC 0x${this.#hex()}`,
      `${head} read         ${this.#size()} byte(s) @ 0x${this.#hex()}`,
      `${head} prefetch     1 byte(s) @ 0x${this.#hex()}`,
    );
  }
}
