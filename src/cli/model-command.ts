/** `heteromem model`: shows time models, and fits one to profiles of a machine. */
import type { Command } from "commander";
import {
  fitGroups,
  fitLink,
  meanError,
  worstError,
  type Fit,
  type Profile,
  type TransferSum,
} from "../sim/time/fit.ts";
import { TIME_PRESETS, type TimeModel } from "../sim.ts";
import { UserError } from "./errors.ts";
import { readProfile } from "./profile.ts";

/** Digits of fitted constants that mean something. */
const DIGITS = 4;

const rounded = (value: number): number => Number(value.toPrecision(DIGITS));
const percent = (part: number): string => (Number.isNaN(part) ? "–" : `${(100 * part).toFixed(1)} %`);

/** A part of a fit: its name, what it gives, the profiles that it is of, and the fit. */
interface Part {
  title: string;
  constants: string;
  names: string[];
  fit: Fit;
}

function present<K extends "toDevice" | "toHost" | "groups">(
  profiles: readonly Profile[],
  key: K,
): Profile[] {
  return profiles.filter((profile) => profile[key] !== null);
}

/** Gigabytes a second of the microseconds of a byte. */
const rateOf = (usPerByte: number): number => rounded(1e-3 / usPerByte);

function linkPart(profiles: readonly Profile[], key: "toDevice" | "toHost", title: string): Part {
  const some = present(profiles, key);
  const fit = fitLink(some.map((profile) => profile[key] as TransferSum));
  if (fit === null || fit.each[1] <= 0)
    throw new UserError(
      `model fit: ${title}: expected at least two profiles with transfers of different sizes, found ` +
        `${some.length}`,
    );
  const [each, byte] = fit.each;
  const constants = `${rounded(each)} µs a transfer + bytes / ${rateOf(byte)} GB/s`;
  return { title, constants, names: some.map(({ name }) => name), fit };
}

function groupPart(profiles: readonly Profile[]): Part | null {
  const some = present(profiles, "groups").filter(({ toDevice }) => toDevice !== null);
  const fit = fitGroups(some);
  if (fit === null) return null;
  const [group, transfer] = fit.each.map(rounded);
  const constants = `${group} µs a group + ${transfer} µs a transfer to the device + its link time`;
  return { title: "fault groups", constants, names: some.map(({ name }) => name), fit };
}

function modelOf(name: string, toDevice: Part, toHost: Part, groups: Part | null): TimeModel {
  const source = (part: Part): string => `heteromem model fit: ${part.names.join(", ")}`;
  const number = <U extends string>(value: number, unit: U, part: Part) =>
    ({ value: Math.max(rounded(value), 0), unit, kind: "fitted", source: source(part) }) as const;
  const direction = (part: Part) => ({
    latency: number(part.fit.each[0], "us", part),
    bandwidth: { ...number(1, "GB/s", part), value: rateOf(part.fit.each[1]) },
  });
  const errorOf = (part: Part, error: (all: number[]) => number) =>
    number(100 * error(part.fit.errors), "%", part);
  return {
    schema: "heteromem-model/1",
    name,
    about: "fitted to profiles of managed memory: the link and fault groups",
    link: { formula: "latency-bandwidth", toDevice: direction(toDevice), toHost: direction(toHost) },
    ...(groups === null
      ? {}
      : {
          faultGroup: {
            fixed: number(groups.fit.each[0], "us", groups),
            eachTransfer: number(groups.fit.each[1], "us", groups),
          },
        }),
    evictions: "background",
    errors: {
      toDevice: errorOf(toDevice, worstError),
      toHost: errorOf(toHost, worstError),
      ...(groups === null ? {} : { group: errorOf(groups, meanError) }),
    },
  };
}

function lines({ title, constants, names, fit: { errors, leftOut } }: Part): string[] {
  const width = Math.max(...names.map((name) => name.length));
  return [
    `${title}: ${constants}`,
    `  error: mean ${percent(meanError(errors))}, worst ${percent(worstError(errors))}; ` +
      `leave one out: worst ${percent(worstError(leftOut))}`,
    ...names.map(
      (name, i) => `  ${name.padEnd(width)}  ${percent(errors[i])}, left out ${percent(leftOut[i])}`,
    ),
  ];
}

/** Fits a model to profiles and prints it, or as JSON. Throws UserError. */
function fitCommand(files: string[], { name, json }: { name: string; json?: true }): void {
  const profiles = files.map(readProfile);
  const toDevice = linkPart(profiles, "toDevice", "link to the device");
  const toHost = linkPart(profiles, "toHost", "link to RAM");
  const groups = groupPart(profiles);
  const all = [toDevice, toHost, ...(groups === null ? [] : [groups])];
  const missing = groups === null ? ["fault groups: fewer than two profiles have them; not fitted"] : [];
  const text = [...all.flatMap(lines), ...missing].join("\n");
  if (!json) process.stdout.write(`${text}\n`);
  else process.stdout.write(`${JSON.stringify(modelOf(name, toDevice, toHost, groups), null, 2)}\n`);
}

function showCommand(name: string | undefined): void {
  if (name === undefined) {
    const list = Object.values(TIME_PRESETS).map((model) => `${model.name.padEnd(14)}${model.about}`);
    process.stdout.write(`${list.join("\n")}\n`);
    return;
  }
  if (!Object.hasOwn(TIME_PRESETS, name))
    throw new UserError(`model show ${name}: expected ${Object.keys(TIME_PRESETS).join(" or ")}`);
  process.stdout.write(`${JSON.stringify(TIME_PRESETS[name], null, 2)}\n`);
}

/** Adds the command. */
export function addModel(program: Command): void {
  const model = program.command("model").description("time models: show one, or fit one to profiles");
  model
    .command("show")
    .description("list the presets, or print one as a file")
    .argument("[name]", "the preset")
    .action(showCommand);
  model
    .command("fit")
    .description("fit link and fault groups to tables of nvprof or nsys stats, one file for each program")
    .argument("<profiles...>", "files with the profiler's output")
    .option("--name <NAME>", "the model's name", "fitted")
    .option("--json", "print the model as a file for --time")
    .action(fitCommand);
}
