/** Numbers as the page writes them. */

/** A number with at most three digits that mean something. */
function short(value: number): string {
  if (value === 0) return "0";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, units: readonly string[], step: number): string {
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : short(value)} ${units[unit]}`;
}

/** A whole number with its thousands marked. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number of bytes. */
export function bytes(value: number): string {
  return scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
}

/** A time in picoseconds. */
export function duration(value: number): string {
  return scaled(value, ["ps", "ns", "µs", "ms", "s"], 1000);
}

/** A share. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A tick of the axis of time. */
export function tickOf(value: number, unit: "ps" | "accesses"): string {
  return unit === "ps" ? duration(value) : scaled(value, ["", "K", "M", "G"], 1000).trim();
}

/** A point of the axis of time, which has this unit. */
export function moment(value: number, unit: "ps" | "accesses"): string {
  return unit === "ps" ? duration(value) : `${tickOf(value, unit)} accesses`;
}
