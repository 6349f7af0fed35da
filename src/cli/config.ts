/** The config of a run: what a file of --config says, and what options say instead. */
import { config as validConfig } from "#validators";
import type { ConfigError } from "../sim.ts";
import { type Calls, type SimulationConfig } from "../sim.ts";
import { optionOf } from "./command-line.ts";
import { UserError } from "./errors.ts";
import { openModel } from "./model-file.ts";
import { readJson } from "./read-json.ts";

/** Everything that decides a run's figures. schema/config.schema.json describes each field. */
export interface RunConfig extends SimulationConfig {
  trace?: string;
  workload?: string;
  format?: string;
  offload?: string[];
  binary?: string;
  base?: string;
  calls?: Calls;
  pid?: number;
  skipForeign?: boolean;
  /** Files that the run writes: its page, and its trace for Perfetto. */
  html?: string;
  perfetto?: string;
}

/** A config, and where its fields come from. */
export interface Configured {
  config: RunConfig;
  /** The config as the user wrote it: a time model is its file. */
  given: Readonly<Record<string, unknown>>;
  /** What messages call a field: the option, or the file and the field. */
  nameOf: (field: string) => string;
}

/** Reads a config file. Throws UserError if it is no JSON, or not as the schema says. */
async function readConfig(path: string): Promise<RunConfig> {
  const content = await readJson<RunConfig & { $schema?: string }>(path, validConfig, "the config");
  const { $schema, ...config } = content;
  return $schema === undefined ? content : config;
}

/**
 * Puts the config of a run together: options win over the file.
 * @param aliases the option that a field was given by, where that has another name
 */
export async function configured(
  path: string | undefined,
  options: RunConfig,
  aliases: Record<string, string>,
): Promise<Configured> {
  const file = path === undefined ? {} : await readConfig(path);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config: RunConfig = { ...file, ...given };
  // A trace on the command line takes the place of the file's workload, and the other way round.
  if (options.trace !== undefined) delete config.workload;
  if (options.workload !== undefined) delete config.trace;
  const nameOf = (field: string): string =>
    field in given || path === undefined ? (aliases[field] ?? optionOf(field)) : `${path}: ${field}`;
  const written = { ...config };
  if (typeof config.time === "string") config.time = (await openModel(config.time)) as RunConfig["time"];
  return { config, given: written, nameOf };
}

/** A config that cannot be, as the user's error: it names the option or the file. */
export function configError(error: ConfigError, nameOf: Configured["nameOf"]): UserError {
  return new UserError(`${nameOf(error.field)} ${error.value}: expected ${error.expected}`);
}
