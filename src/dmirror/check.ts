import { Mm, PAGE_SIZE } from "../index.ts";
import { DmirrorDevice } from "./device.ts";
import type { DmirrorOptions } from "./options.ts";

const PIECE_MAX = 2 ** 27;
const MEMORY_MAX = 2 ** 39;

/** Writes a value for a message. */
function written(value: unknown): string {
  if (typeof value === "number" && Number.isInteger(value) && value > 0xffff)
    return `0x${value.toString(16)}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return value.constructor === Object ? "an object" : `a ${value.constructor.name}`;
}

/** Makes a TypeError that names operation, argument, expectation and value. */
export function badType(op: string, name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${op}: ${name} must be ${expected}, got ${written(value)}`);
}

function checkInteger(op: string, name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw badType(op, name, "a number", value);
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const range = `an integer from ${written(min)} to ${written(max)}`;
  throw new RangeError(`${op}: ${name} must be ${range}, got ${written(value)}`);
}

/** Refuses bad arguments of a mirror, before anything is made. */
export function checkMirror(mm: Mm, options: DmirrorOptions): void {
  const op = "new Dmirror";
  if (!(mm instanceof Mm)) throw badType(op, "mm", "an Mm", mm);
  if (mm.closed) throw new TypeError(`${op}: the mm is closed`);
  if (typeof options !== "object" || options === null) throw badType(op, "options", "an object", options);
  const { device, deviceMemory, faultPages, migratePages } = options;
  checkInteger(op, "deviceMemory", deviceMemory, PAGE_SIZE, MEMORY_MAX);
  checkInteger(op, "faultPages", faultPages, 1, PIECE_MAX);
  checkInteger(op, "migratePages", migratePages, 1, PIECE_MAX);
  if (device === undefined) return;
  if (!(device instanceof DmirrorDevice)) throw badType(op, "device", "a DmirrorDevice", device);
  if (device.devmem.removed) throw new TypeError(`${op}: device is closed`);
  if (device.hmm !== mm.hmm) throw new TypeError(`${op}: device belongs to another Hmm`);
}
