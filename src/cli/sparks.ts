/** Small pictures for a terminal: bars and sparklines of block characters. */

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEVELS = "▁▂▃▄▅▆▇█";

/** Returns a bar for a share of the whole, at most `width` characters long. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

/** Returns a character for each of `width` parts of some values: their sum, relative to the largest one. */
export function sparkline(values: readonly number[], width: number): string {
  const n = Math.min(width, values.length);
  const sums = Array.from({ length: n }, (_, i) => {
    const [from, to] = [i, i + 1].map((part) => Math.floor((part * values.length) / n));
    return values.slice(from, to).reduce((sum, value) => sum + value, 0);
  });
  const most = Math.max(...sums, 0);
  if (most === 0) return LEVELS[0].repeat(n);
  return sums.map((sum) => LEVELS[Math.min(7, Math.ceil((sum / most) * 8) - (sum > 0 ? 1 : 0))]).join("");
}
