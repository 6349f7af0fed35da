/** A field of a config whose value cannot be. */
import { show } from "../engine/errors.ts";

/** Thrown for a config that cannot be: names the field, its value and what was expected. */
export class ConfigError extends RangeError {
  override readonly name = "ConfigError";
  /** The field, as in "systemMemory". */
  readonly field: string;
  /** Its value, for a message. */
  readonly value: string;
  readonly expected: string;

  constructor(field: string, value: unknown, expected: string) {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? show(value));
    super(`${field} ${text}: expected ${expected}`);
    this.field = field;
    this.value = text;
    this.expected = expected;
  }
}
