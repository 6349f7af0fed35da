/** What the suites of `heteromem convert` share. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { convert as convertTrace, type ConvertOptions } from "../../src/cli/convert.ts";
import { parseFormat } from "../../src/text/formats.ts";
import { loadText } from "../../src/text/index.ts";
import { recordsOf, type PlainRecord } from "../text/reference.ts";
import { folder, heteromem, type Outcome } from "./command.ts";

const text = loadText();

/** The path of a file in the tests' folder. */
export const path = (name: string): string => join(folder, name);

/** Runs the command with these arguments. */
export const convert = (...args: string[]): Outcome => heteromem(["convert", ...args]);

/** The accesses of a file, events left out. */
export async function read(name: string, format: string): Promise<PlainRecord[]> {
  const { format: found, options } = parseFormat(format);
  const decoder = await found.make(text, options);
  const records: PlainRecord[] = [];
  const use = (words: BigUint64Array): void => {
    for (const record of recordsOf(words)) records.push(record);
  };
  decoder.feed(readFileSync(name), use);
  assert.is(decoder.finish(use), null);
  decoder.close();
  return records.filter(({ kind }) => kind < 16);
}

/** Converts in this process, which is faster, and returns what is written on stderr. It must succeed. */
export async function converted(
  from: string,
  to: string,
  options: Partial<ConvertOptions> = {},
): Promise<string> {
  const write = process.stderr.write.bind(process.stderr);
  let stderr = "";
  process.stderr.write = (line: string) => {
    stderr += line;
    return true;
  };
  try {
    const rest = { format: null, to: null, plain: false, instructions: false, quiet: true, version: "0" };
    assert.is(await convertTrace(from, to, { ...rest, ...options }), 0);
  } finally {
    process.stderr.write = write;
  }
  return stderr;
}

/** Converts, which must succeed without a loss, and returns the path of what was made. */
export function made(from: string, to: string, ...flags: string[]): string {
  const { status, stdout, stderr } = convert(from, path(to), "--quiet", ...flags);
  assert.equal([status, stdout, stderr], [0, "", ""]);
  return path(to);
}
