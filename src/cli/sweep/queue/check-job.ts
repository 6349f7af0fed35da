/** Jobs from a queue are strangers': they may name a config and a trace's digest, and nothing else. */
import type { ValidateFunction } from "ajv";
import configSchema from "../../../../schema/config.schema.json" with { type: "json" };
import modelSchema from "../../../../schema/model.schema.json" with { type: "json" };
import { contentOf, idOf, type Job, type JobContent } from "../../../sweep/job.ts";
import { CONFIG_FIELDS } from "../../../sim/config.ts";
import { compileSchema, whyInvalid } from "../../read-json.ts";

/** Characters of a job, at most. */
const JOB_MAX = 1 << 20;

/** What a job may say: fields of a simulation, of which none is a file. */
function jobSchema(version: string): object {
  const { properties, definitions } = configSchema;
  const own = Object.entries(properties).filter(([field]) => CONFIG_FIELDS.has(field));
  return {
    type: "object",
    additionalProperties: false,
    required: ["engine", "config", "trace"],
    definitions,
    properties: {
      engine: { const: version },
      config: {
        type: "object",
        additionalProperties: false,
        properties: {
          ...Object.fromEntries(own),
          workload: { type: "string", minLength: 1, maxLength: 1000 },
        },
      },
      trace: { anyOf: [{ type: "null" }, { type: "string", pattern: "^[0-9a-f]{64}$" }] },
    },
  };
}

/** Checks jobs of a queue. */
export class JobChecker {
  readonly #job: ValidateFunction<Job>;
  readonly #model: ValidateFunction;
  readonly #version: string;

  private constructor(version: string, job: ValidateFunction<Job>, model: ValidateFunction) {
    this.#version = version;
    this.#job = job;
    this.#model = model;
  }

  /** @param version the worker's own: it runs no other one's jobs */
  static async make(version: string): Promise<JobChecker> {
    return new JobChecker(
      version,
      await compileSchema<Job>(jobSchema(version)),
      await compileSchema(modelSchema),
    );
  }

  /**
   * Returns the job that the data of a queue is, and its content. Throws Error for anything else: other
   * fields, another version, an id that is not that of the content.
   */
  check(id: string | undefined, data: unknown): { job: Job; content: JobContent } {
    if (JSON.stringify(data ?? null).length > JOB_MAX) throw new Error("refused: the job is too long");
    const engine = (data as { engine?: unknown } | null)?.engine;
    if (typeof engine === "string" && engine !== this.#version)
      throw new Error(`refused: a job of heteromem ${engine.slice(0, 40)}; this worker is ${this.#version}`);
    if (!this.#job(data)) throw new Error(`refused: ${whyInvalid(this.#job, "the job")}`);
    const job = data;
    const { time } = job.config;
    if (typeof time === "object" && !this.#model(time))
      throw new Error(`refused: time: ${whyInvalid(this.#model, "the model")}`);
    if ((job.trace === null) === (job.config.workload === undefined))
      throw new Error("refused: expected either a trace or a workload");
    let content: JobContent;
    try {
      content = contentOf(job);
    } catch (error) {
      throw new Error(`refused: ${(error as Error).message}`, { cause: error });
    }
    if (idOf(content) !== id) throw new Error("refused: the id is not that of the job's content");
    return { job, content };
  }
}
