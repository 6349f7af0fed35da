/** Jobs from a queue are strangers': they may name a config and a trace's digest, and nothing else. */
import { config as validConfig, model as validModel } from "#validators";
import { contentOf, idOf, type Job, type JobContent } from "../../../sweep/job.ts";
import { CONFIG_FIELDS } from "../../../sim/config.ts";
import { whyInvalid } from "../../read-json.ts";

/** Characters of a job, and of its workload, at most. */
const JOB_MAX = 1 << 20;
const WORKLOAD_MAX = 1000;
const DIGEST = /^[0-9a-f]{64}$/;
const JOB_FIELDS: ReadonlySet<string> = new Set<keyof Job>(["engine", "config", "trace"]);
/** Fields of a simulation, of which none is a file. */
const RUN_FIELDS: ReadonlySet<string> = new Set([...CONFIG_FIELDS, "workload"]);

const refusal = (why: string): Error => new Error(`refused: ${why}`);

/** Throws Error for anything but an object that has no other fields. */
function demandFields(value: unknown, what: string, fields: ReadonlySet<string>): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refusal(`${what} must be object`);
  const other = Object.keys(value).find((field) => !fields.has(field));
  if (other !== undefined) throw refusal(`${what} must not have the field ${other}`);
}

/** Checks jobs of a queue. */
export class JobChecker {
  readonly #version: string;

  /** @param version the worker's own: it runs no other one's jobs */
  constructor(version: string) {
    this.#version = version;
  }

  /**
   * Returns the job that the data of a queue is, and its content. Throws Error for anything else: other
   * fields, another version, an id that is not that of the content.
   */
  check(id: string | undefined, data: unknown): { job: Job; content: JobContent } {
    if (JSON.stringify(data ?? null).length > JOB_MAX) throw refusal("the job is too long");
    demandFields(data, "the job", JOB_FIELDS);
    const job = data as Job;
    const { engine, config, trace } = job;
    if (engine !== this.#version)
      throw refusal(`a job of heteromem ${String(engine).slice(0, 40)}; this worker is ${this.#version}`);
    demandFields(config, "config", RUN_FIELDS);
    if (!validConfig(config)) throw refusal(`config.${whyInvalid(validConfig, "")}`);
    if ((config.workload ?? "").length > WORKLOAD_MAX)
      throw refusal(`config.workload must NOT have more than ${WORKLOAD_MAX} characters`);
    if (typeof config.time === "object" && !validModel(config.time))
      throw refusal(`time: ${whyInvalid(validModel, "the model")}`);
    if (trace !== null && !(typeof trace === "string" && DIGEST.test(trace)))
      throw refusal("trace must be null or a digest, 64 hexadecimal digits");
    if ((trace === null) === (config.workload === undefined))
      throw refusal("expected either a trace or a workload");
    let content: JobContent;
    try {
      content = contentOf(job);
    } catch (error) {
      throw new Error(`refused: ${(error as Error).message}`, { cause: error });
    }
    if (idOf(content) !== id) throw refusal("the id is not that of the job's content");
    return { job, content };
  }
}
