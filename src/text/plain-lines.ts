/** How each format writes an access. docs/formats.md says what the lines mean. */
import { RECORD_KIND_FETCH, RECORD_KIND_LOAD, RECORD_KIND_STORE } from "../../assembly/abi/record.ts";
import type { AccessLines } from "./plain-access.ts";
import { nvbit } from "./plain-nvbit.ts";
import type { PlainBytes } from "./plain-bytes.ts";
import type { PlainFormatName } from "./plain-formats.ts";

const LACKEY = ["L", "S", "M"];
const CHAMPSIM_BYTES = 64;
const HIGH = 2 ** 32;
const MICROSECONDS = 1_000_000;

/** `R` or `W`. */
const letter = (kind: number): string => (kind === RECORD_KIND_STORE ? "W" : "R");

function lackey(out: PlainBytes): AccessLines {
  return {
    access({ kind, low, high, size }) {
      out.text(` ${LACKEY[kind]} `);
      out.hex(low, high, 8);
      out.text(",");
      out.decimal(size);
      out.text("\n");
    },
  };
}

/** The tool writes the numbers of the record and of its instruction, and the thread, in columns of 12. */
function drmemtrace(out: PlainBytes): AccessLines {
  let records = 0;
  let instructions = 0;
  const column = (value: number): void => {
    out.text(" ".repeat(Math.max(0, 12 - String(value).length)));
    out.decimal(value);
  };
  return {
    access({ kind, low, high, size, code, thread }) {
      if (kind === RECORD_KIND_FETCH) instructions++;
      column(++records);
      column(instructions);
      out.text(":");
      column(thread);
      out.text(
        kind === RECORD_KIND_FETCH ? " ifetch " : kind === RECORD_KIND_STORE ? " write  " : " read   ",
      );
      out.text(" ".repeat(Math.max(0, 7 - String(size).length)));
      out.decimal(size);
      out.text(" byte(s) @ 0x");
      out.hex(low, high, 16);
      if (code !== 0 && kind !== RECORD_KIND_FETCH) {
        out.text(" by PC 0x");
        out.hex(code, 0, 16);
      }
      out.text("\n");
    },
  };
}

/** Samples of each access, one a microsecond: a trace has no times, and a line without one is no sample. */
function perfScript(out: PlainBytes): AccessLines {
  let samples = 0;
  return {
    access({ kind, low, high, code, thread }) {
      out.text("heteromem ");
      out.decimal(thread);
      out.text(" ");
      out.decimal(Math.floor(samples / MICROSECONDS));
      out.text(".");
      out.decimal(samples++ % MICROSECONDS, 6);
      out.text(kind === RECORD_KIND_STORE ? ": 1 cpu/mem-stores/P: " : ": 1 cpu/mem-loads/P: ");
      out.hex(low, high);
      out.text(" ");
      out.hex(code, 0);
      out.text("\n");
    },
  };
}

function pinatrace(out: PlainBytes): AccessLines {
  return {
    access({ kind, low, high, code }) {
      out.text("0x");
      out.hex(code, 0);
      out.text(`: ${letter(kind)} 0x`);
      out.hex(low, high);
      out.text("\n");
    },
  };
}

function dinero(out: PlainBytes): AccessLines {
  return {
    access({ kind, low, high }) {
      out.text(kind === RECORD_KIND_FETCH ? "2 " : `${kind} `);
      out.hex(low, high);
      out.text("\n");
    },
  };
}

function addrRw(out: PlainBytes): AccessLines {
  return {
    access({ kind, low, high }) {
      out.text("0x");
      out.hex(low, high);
      out.text(` ${letter(kind)}\n`);
    },
  };
}

/** Each access is an instruction; that of a modify loads and stores. */
function champsim(out: PlainBytes): AccessLines {
  const [DESTINATION, SOURCE] = [16, 32];
  return {
    access({ kind, low, high, code }) {
      const address = high * HIGH + low;
      const slots: [number, number][] = [[0, code]];
      if (kind !== RECORD_KIND_LOAD) slots.push([DESTINATION, address]);
      if (kind !== RECORD_KIND_STORE) slots.push([SOURCE, address]);
      out.binary(CHAMPSIM_BYTES, slots);
    },
  };
}

/** What writes the lines of each format. */
export const LINES: Record<PlainFormatName, (out: PlainBytes) => AccessLines> = {
  lackey,
  nvbit,
  drmemtrace,
  "perf-script": perfScript,
  pinatrace,
  dinero,
  "addr-rw": addrRw,
  champsim,
};
