/** Opens traces of any format: finds out which they have, and makes their decoders. */
import { DecodeError, type TraceDecoder } from "../text/decoder.ts";
import { FORMATS, parseFormat, recognizeFormat, type TraceFormat } from "../text/formats.ts";
import { HmtFormatError } from "../text/hmt.ts";
import type { TextModule } from "../text/index.ts";
import type { LineOptions } from "../text/line-decoder.ts";
import { TraceError } from "../text/lackey.ts";
import { recognizeBytes, recognizeText } from "../text/recognize.ts";
import { UserError } from "./errors.ts";

/** Bytes of a file's beginning by which its format is recognized. */
const HEAD_BYTES = 4096;

/** The beginning of a trace, and the format that it or the user says it has. */
export interface RecognizedTrace {
  /** Null: neither says it. */
  format: TraceFormat | null;
  /** Options of `--format`. */
  options: LineOptions;
  /** The file's first bytes, for messages. */
  head: Uint8Array;
  /** All bytes; a chunk is valid until the next one is asked for. */
  chunks: AsyncGenerator<Uint8Array, void, void>;
}

/** A trace that can be decoded. The caller closes the decoder. */
export interface OpenTrace {
  format: TraceFormat;
  decoder: TraceDecoder;
  chunks: AsyncGenerator<Uint8Array, void, void>;
}

/**
 * Reads the beginning of a trace, and finds out which format it has.
 * @param chunks the trace's bytes, which `RecognizedTrace.chunks` yields again
 * @param wanted the value of `--format`; null: the file's first bytes tell
 * @throws UserError if the value names no format
 */
export async function recognizeTrace(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  wanted: string | null,
): Promise<RecognizedTrace> {
  const told = wanted === null ? null : parseWanted(wanted);
  const first = await readHead(chunks);
  const head = first.slice(0, HEAD_BYTES);
  const format = told?.format ?? recognizeFormat(head);
  return { format, options: told?.options ?? {}, head, chunks: prepend(first, chunks) };
}

/**
 * Makes a decoder for a trace, which gives records of instructions, too, if they are asked for. Throws
 * UserError if its format is not known, or is none that is read.
 */
export async function makeDecoder(
  text: TextModule,
  { format, options, head, chunks }: RecognizedTrace,
  file: string,
  instructions = false,
): Promise<OpenTrace> {
  if (format === null) throw whyNoFormat(file, head);
  return { format, decoder: await format.make(text, { ...options, file, instructions }), chunks };
}

function parseWanted(value: string): ReturnType<typeof parseFormat> {
  try {
    return parseFormat(value);
  } catch (error) {
    throw new UserError(`--format ${(error as RangeError).message}`);
  }
}

/** The first chunks, copied: HEAD_BYTES or more, or the whole file. */
async function readHead(chunks: AsyncGenerator<Uint8Array, void, void>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < HEAD_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    parts.push(next.value.slice());
    bytes += next.value.length;
  }
  if (parts.length === 1) return parts[0];
  const head = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    head.set(part, at);
    at += part.length;
  }
  return head;
}

async function* prepend(
  head: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** A file that has no format that is read: what it is instead, or that it is not known. */
function whyNoFormat(name: string, head: Uint8Array): UserError {
  if (head.length === 0) return new UserError(`${name}: the file is empty`);
  const found = recognizeBytes(head) ?? recognizeText(new TextDecoder("latin1").decode(head));
  if (found !== null)
    return new UserError(`${name}: this is ${found.what}; ${found.advice.replaceAll("FILE", name)}`);
  const names = FORMATS.map((format) => format.name).join(", ");
  return new UserError(`${name}: the format of this trace is not recognized; --format says it: ${names}`);
}

/**
 * Why a trace ends where a decoder has thrown this; null if it should not end there, or it is no such error.
 */
export function endOf(error: unknown): string | null {
  if (error instanceof DecodeError && error.kind === "nul")
    return error.line === null ? error.reason : `line ${error.line}: ${error.reason}`;
  if (error instanceof TraceError && (error.kind === "nul" || error.kind === "valgrind"))
    return `line ${error.line}: ${error.reason}`;
  return null;
}

/** An error of a decoder as one for the user; any other error as it is. */
export function asUserError(error: unknown): unknown {
  const known =
    error instanceof DecodeError || error instanceof TraceError || error instanceof HmtFormatError;
  return known ? new UserError(error.message) : error;
}
