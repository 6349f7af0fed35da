/**
 * `heteromem convert IN OUT`: reads a trace of any format, or a workload, and writes it in another format.
 */
import { HmtWriter, type HmtAbout } from "../text/hmt-writer.ts";
import { loadText, type TextModule } from "../text/index.ts";
import { PLAIN_FORMATS, type PlainFormatName } from "../text/plain-formats.ts";
import { PlainWriter } from "../text/plain-writer.ts";
import {
  isWorkload,
  readTrace,
  readWorkload,
  type Read,
  type ReadOptions,
  type TakeRecords,
} from "./convert-source.ts";
import { UserError } from "./errors.ts";
import { INTERRUPTED, PARTIAL } from "./exit.ts";
import { TraceInput } from "./input.ts";
import { OutputFile } from "./output.ts";
import { Progress } from "./progress.ts";
import { count, plural } from "./words.ts";
import { loadCompress } from "./zstd.ts";

/** The command's options, parsed. */
export interface ConvertOptions extends ReadOptions {
  /** The value of `--to`: the output's format; null: its name tells. */
  to: string | null;
  /** Write the blocks of an .hmt trace as they are, and not compressed. */
  plain: boolean;
  quiet: boolean;
  version: string;
}

type OutputFormat = "hmt" | PlainFormatName;

const PLAIN_NAMES = Object.keys(PLAIN_FORMATS) as PlainFormatName[];
const NAMES: readonly OutputFormat[] = ["hmt", ...PLAIN_NAMES];

/** The format that the output is to have. Throws UserError if nothing says it. */
function outputFormat(path: string, to: string | null): OutputFormat {
  if (to !== null) {
    const named = NAMES.find((name) => name === to);
    if (named === undefined) throw new UserError(`--to ${to}: expected ${NAMES.join(", ")}`);
    return named;
  }
  if (path.endsWith(".hmt")) return "hmt";
  const ends = (name: PlainFormatName): boolean =>
    PLAIN_FORMATS[name].extensions.some((extension) => path.endsWith(extension));
  const found = PLAIN_NAMES.find(ends);
  if (found === undefined) {
    const known = [".hmt", ...PLAIN_NAMES.flatMap((name) => PLAIN_FORMATS[name].extensions)].join(", ");
    throw new UserError(
      `${path}: its name ends in none of ${known}; --to says the format: ${NAMES.join(", ")}`,
    );
  }
  return found;
}

/** What writes the output, whatever its format. */
interface Writer {
  take: TakeRecords;
  end(read: Read): void;
  losses(): string[];
  close(): void;
}

async function makeWriter(
  text: TextModule,
  format: OutputFormat,
  output: OutputFile,
  options: ConvertOptions,
): Promise<Writer> {
  if (format !== "hmt") {
    const writer = new PlainWriter(format, (bytes) => output.write(bytes));
    return {
      take: (records, eventOf) => writer.write(records, eventOf),
      end: () => writer.end(),
      losses: () => writer.losses(count),
      close: () => {},
    };
  }
  const settings = {
    recorder: `heteromem convert ${options.version}`,
    ...(options.plain ? {} : { compress: await loadCompress() }),
  };
  const writer = new HmtWriter(text, (bytes) => output.write(bytes), settings);
  let described: HmtAbout | null = null;
  return {
    take(records, eventOf, about) {
      if (about !== described) writer.describe(about);
      described = about;
      writer.write(records, eventOf);
    },
    end: ({ partial, lost }) => writer.end({ whole: partial === null, lost }),
    losses: () => [],
    close: () => writer.close(),
  };
}

/** Runs the command and returns its exit code. Throws UserError, and has then left no output. */
export async function convert(from: string, path: string, options: ConvertOptions): Promise<number> {
  const format = outputFormat(path, options.to);
  if (isWorkload(from) && options.format !== null)
    throw new UserError(`--format ${options.format}: a workload has no format`);
  if (options.instructions && format !== "hmt")
    throw new UserError(`--instructions: traces of ${format} hold no counts of instructions; .hmt traces do`);
  const input = isWorkload(from) ? null : await TraceInput.open(from);
  let stopped = false;
  const interrupt = (): void => {
    stopped = true;
    input?.stop();
  };
  process.once("SIGINT", interrupt);
  let output: OutputFile | null = null;
  try {
    output = OutputFile.open(path, input === null || from === "-" ? null : from);
    const text = loadText();
    const writer = await makeWriter(text, format, output, options);
    const read =
      input === null
        ? await readWorkload(from, writer.take, () => stopped)
        : await readWithBar(text, input, writer.take, options);
    writer.end(read);
    writer.close();
    output.close();
    report(input?.name ?? from, output, read, writer.losses(), options);
    if (stopped) return INTERRUPTED;
    return read.partial === null ? 0 : PARTIAL;
  } catch (error) {
    output?.discard();
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    input?.close();
  }
}

async function readWithBar(
  text: TextModule,
  input: TraceInput,
  take: TakeRecords,
  options: ConvertOptions,
): Promise<Read> {
  const progress = new Progress(input, options.quiet);
  try {
    return await readTrace(text, input, options, take, progress);
  } finally {
    progress.stop();
  }
}

/** Says on stderr what was written, what was lost, and why it is not all. */
function report(
  name: string,
  output: OutputFile,
  { partial, accesses }: Read,
  losses: readonly string[],
  { quiet }: ConvertOptions,
): void {
  const lines: string[] = [];
  if (partial !== null) lines.push(`${name}: ${partial}; ${output.name} has what comes before`);
  lines.push(...losses.map((loss) => `${output.name}: ${loss}`));
  if (!quiet) {
    const each = accesses === 0 ? 0 : output.bytes / accesses;
    lines.push(
      `${output.name}: ${plural(accesses, "access", "accesses")}, ${count(output.bytes)} bytes, ` +
        `${each.toPrecision(3)} each`,
    );
  }
  process.stderr.write(lines.map((line) => `heteromem: ${line}\n`).join(""));
}
