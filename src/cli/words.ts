/** Numbers as the command writes them. */

/**
 * A whole number with its thousands marked: 1,234,567. (The first toLocaleString() would start ICU, in 12
 * ms.)
 */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 line", "2 lines". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** An address: 0x401615. */
export const address = (value: number): string => `0x${value.toString(16)}`;

/** A part of a whole: "12.5 %". */
export const percent = (part: number, whole: number): string =>
  whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;

/** A time in picoseconds, in the largest unit that keeps it at 1 or above: 1.5 ms. */
export function duration(picoseconds: number): string {
  const units = ["ps", "ns", "µs", "ms", "s"];
  let [value, unit] = [picoseconds, 0];
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const shown = value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
  return `${unit === 0 ? value : shown} ${units[unit]}`;
}

/** A number of bytes in the largest unit that keeps it at 1 or above: 1.5 MiB. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? count(value) : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
