/** Writes small ELF programs: a header, a symbol table and its names. */

export interface PlainSymbol {
  name: string;
  value: number;
  size: number;
  /** Defaults to 2, a function. */
  type?: number;
  /** Defaults to 1; 0 is undefined. */
  section?: number;
}

export interface PlainElf {
  wide: boolean;
  /** 2: at fixed addresses, 3: position-independent. */
  type: number;
  machine: number;
  entry: number;
  symbols: readonly PlainSymbol[];
  /** Section type: 2 .symtab, 11 .dynsym. */
  table?: number;
}

/** Returns the bytes of the program. */
export function elfBytes({ wide, type, machine, entry, symbols, table = 2 }: PlainElf): Uint8Array {
  const [headerSize, sectionSize, symbolSize] = wide ? [64, 64, 24] : [52, 40, 16];
  const names = `\0${symbols.map(({ name }) => `${name}\0`).join("")}`;
  const symbolsAt = headerSize;
  const namesAt = symbolsAt + symbolSize * symbols.length;
  const sectionsAt = namesAt + names.length;
  const view = new DataView(new ArrayBuffer(sectionsAt + 3 * sectionSize));
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1].forEach((byte, i) => view.setUint8(i, byte));
  view.setUint16(16, type, true);
  view.setUint16(18, machine, true);
  word(24, entry);
  word(wide ? 40 : 32, sectionsAt);
  view.setUint16(wide ? 58 : 46, sectionSize, true);
  view.setUint16(wide ? 60 : 48, 3, true);
  symbols.forEach(({ name, value, size, type: kind = 2, section = 1 }, i) => {
    const at = symbolsAt + i * symbolSize;
    view.setUint32(at, names.indexOf(`\0${name}\0`) + 1, true);
    view.setUint8(at + (wide ? 4 : 12), 0x10 | kind);
    view.setUint16(at + (wide ? 6 : 14), section, true);
    word(at + (wide ? 8 : 4), value);
    word(at + (wide ? 16 : 8), size);
  });
  [...names].forEach((char, i) => view.setUint8(namesAt + i, char.charCodeAt(0)));
  const section = (
    i: number,
    kind: number,
    offset: number,
    size: number,
    link: number,
    step: number,
  ): void => {
    const at = sectionsAt + i * sectionSize;
    view.setUint32(at + 4, kind, true);
    word(at + (wide ? 24 : 16), offset);
    word(at + (wide ? 32 : 20), size);
    view.setUint32(at + (wide ? 40 : 24), link, true);
    word(at + (wide ? 56 : 36), step);
  };
  section(1, table, symbolsAt, namesAt - symbolsAt, 2, symbolSize);
  section(2, 3, namesAt, names.length, 0, 0);
  return new Uint8Array(view.buffer);
}
