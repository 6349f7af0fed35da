/**
 * Reads from an ELF program what --offload SYMBOL needs: its functions, whether it can be loaded anywhere
 * (PIE), where it starts, and for which machine it is. ELF32 and ELF64, little-endian. The format is in
 * elf(5).
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Calls } from "../sim.ts";
import { fileError, UserError } from "./errors.ts";

/** A function: its code is [start, start + size), before the program is loaded elsewhere. */
export interface ElfFunction {
  name: string;
  start: number;
  size: number;
}

export interface ElfProgram {
  path: string;
  /** It is loaded where the system likes: its addresses count from a base. */
  pie: boolean;
  /** Where it starts; 0: nowhere. */
  entry: number;
  calls: Calls;
  /** In order of their addresses; without names twice for one address. */
  functions: ElfFunction[];
}

const ET_DYN = 3;
const ET_EXEC = 2;
const EM_386 = 3;
const EM_ARM = 40;
const EM_X86_64 = 62;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
/** Bytes of a symbol table or its names that are read, at most. */
const TABLE_MAX = 2 ** 30;
const MAGIC = 0x464c457f;

/** Returns `length` bytes of the program from `offset` on, or throws. */
type Read = (offset: number, length: number) => DataView;

interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
  entrySize: number;
}

/** Reads the program. Throws UserError if it cannot be read, or is no program that this understands. */
export function readElf(path: string): ElfProgram {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw fileError(path, error);
  }
  try {
    const { size } = fstatSync(fd);
    return parseElf(path, (offset, length) => {
      if (!(offset >= 0 && length >= 0 && offset + length <= size && length <= TABLE_MAX))
        throw new UserError(`${path}: the program is cut off or damaged at byte ${Math.min(offset, size)}`);
      const bytes = new Uint8Array(length);
      readSync(fd, bytes, 0, length, offset);
      return new DataView(bytes.buffer);
    });
  } catch (error) {
    throw error instanceof UserError ? error : fileError(path, error);
  } finally {
    closeSync(fd);
  }
}

/** The same for bytes that `read` returns; it throws UserError for bytes that are not there. */
export function parseElf(path: string, read: Read): ElfProgram {
  const ident = read(0, 16);
  if (ident.getUint32(0, true) !== MAGIC) throw new UserError(`${path}: this is no ELF program`);
  const [bits, order] = [ident.getUint8(4), ident.getUint8(5)];
  if (order !== 1 || (bits !== 1 && bits !== 2))
    throw new UserError(`${path}: only little-endian ELF programs of 32 or 64 bits are read`);
  const wide = bits === 2;
  const header = read(0, wide ? 64 : 52);
  const type = header.getUint16(16, true);
  const machine = header.getUint16(18, true);
  if (type !== ET_EXEC && type !== ET_DYN)
    throw new UserError(`${path}: this is no linked program: its addresses are not known yet`);
  const functions = sectionsOf(read, header, wide)
    .filter((section) => section.type === SHT_SYMTAB || section.type === SHT_DYNSYM)
    .flatMap((section) => functionsOf(read, section, wide, machine));
  return {
    path,
    pie: type === ET_DYN,
    entry: word(header, 24, wide),
    calls: machine === EM_386 || machine === EM_X86_64 ? "push" : "register",
    functions: distinct(functions),
  };
}

/** A u32, or a u64 as a number. */
function word(view: DataView, offset: number, wide: boolean): number {
  return wide ? Number(view.getBigUint64(offset, true)) : view.getUint32(offset, true);
}

/** The section headers, with the names of each symbol table behind its `link`. */
function sectionsOf(read: Read, header: DataView, wide: boolean): (Section & { names?: Section })[] {
  const table = word(header, wide ? 40 : 32, wide);
  const size = header.getUint16(wide ? 58 : 46, true);
  const count = header.getUint16(wide ? 60 : 48, true);
  if (table === 0 || count === 0 || size < (wide ? 64 : 40)) return [];
  const view = read(table, size * count);
  const sections = Array.from({ length: count }, (_, i): Section => {
    const at = i * size;
    return {
      type: view.getUint32(at + 4, true),
      offset: word(view, at + (wide ? 24 : 16), wide),
      size: word(view, at + (wide ? 32 : 20), wide),
      link: view.getUint32(at + (wide ? 40 : 24), true),
      entrySize: word(view, at + (wide ? 56 : 36), wide),
    };
  });
  return sections.map((section) => ({ ...section, names: sections[section.link] }));
}

/** The functions of a symbol table: defined symbols of type FUNC. */
function functionsOf(
  read: Read,
  section: Section & { names?: Section },
  wide: boolean,
  machine: number,
): ElfFunction[] {
  const step = wide ? 24 : 16;
  const { names } = section;
  if (section.entrySize !== step || names === undefined) return [];
  const symbols = read(section.offset, section.size);
  const { buffer, byteOffset, byteLength } = read(names.offset, names.size);
  const strings = Buffer.from(buffer, byteOffset, byteLength);
  const found: ElfFunction[] = [];
  for (let at = 0; at + step <= symbols.byteLength; at += step) {
    const info = symbols.getUint8(at + (wide ? 4 : 12)) & 15;
    const where = symbols.getUint16(at + (wide ? 6 : 14), true);
    if ((info !== STT_FUNC && info !== STT_GNU_IFUNC) || where === 0) continue;
    const value = word(symbols, at + (wide ? 8 : 4), wide);
    const start = machine === EM_ARM ? value - (value % 2) : value; // bit 0 says Thumb
    const size = word(symbols, at + (wide ? 16 : 8), wide);
    if (!Number.isSafeInteger(start + size)) continue;
    found.push({ name: nameAt(strings, symbols.getUint32(at, true)), start, size });
  }
  return found;
}

/** The string that begins at `offset` and ends with a NUL. */
function nameAt(strings: Buffer, offset: number): string {
  const end = strings.indexOf(0, offset);
  return strings.toString("latin1", offset, end < 0 ? strings.length : end);
}

/**
 * The functions in order, each once (.dynsym repeats some of .symtab). A function without a size ends at the
 * next.
 */
function distinct(functions: readonly ElfFunction[]): ElfFunction[] {
  const seen = new Map(functions.map((one) => [`${one.start} ${one.name}`, one]));
  const sorted = [...seen.values()].sort((a, b) => a.start - b.start);
  // From the end: where the function after this one begins.
  let [start, next] = [Infinity, Infinity];
  for (let i = sorted.length - 1; i >= 0; i--) {
    const one = sorted[i];
    if (one.start < start) [start, next] = [one.start, start];
    if (one.size === 0) sorted[i] = { ...one, size: next === Infinity ? 0 : next - one.start };
  }
  return sorted;
}

/**
 * Returns the code of function `symbol`: also its parts and copies, which compilers name SYMBOL.cold,
 * SYMBOL.isra.0 or SYMBOL._omp_fn.0, and static functions of one name. Empty if there is none.
 */
export function functionsNamed({ functions }: ElfProgram, symbol: string): ElfFunction[] {
  const named = functions.filter(
    ({ name, size }) => size > 0 && (name === symbol || name.startsWith(`${symbol}.`)),
  );
  const starts = new Set<number>();
  return named.filter(({ start }) => !starts.has(start) && starts.add(start));
}

/** Names of functions that look like `symbol`, for messages. */
export function similarNames({ functions }: ElfProgram, symbol: string): string[] {
  const wanted = symbol.toLowerCase();
  const names = new Set(functions.map(({ name }) => name));
  const isSimilar = (name: string): boolean =>
    name.toLowerCase().includes(wanted) ||
    (wanted.length > 3 && name.toLowerCase().startsWith(wanted.slice(0, 3)));
  return [...names].filter(isSimilar).slice(0, 5);
}
