/** `heteromem run` refuses wrong workloads, configs and regions: one line on stderr, exit code 2. */
import { suite } from "uvu";
import { file } from "./command.ts";
import { PROGRAM } from "./program.ts";
import { refuses } from "./refuses.ts";

const test = suite("heteromem run, wrong configs");
const trace = file("program.lackey", PROGRAM.text);

refuses(test, [
  ["a region without an end", () => [trace, "--roi", "5"], /--roi 5: expected FROM-TO, two numbers/],
  ["a region that ends first", () => [trace, "--roi", "7-7"], /--roi 7-7: expected FROM-TO/],
  ["an epoch of nothing", () => [trace, "--epoch", "0"], /--epoch 0: expected a whole number of accesses/],
  [
    "accesses to skip that are none",
    () => [trace, "--skip", "-1"],
    /--skip -1: expected a whole number from 0/,
  ],
  [
    "an unknown agent",
    () => [trace, "--agent", "gpu"],
    /--agent gpu: expected trace, cpu, device or threads:LIST/,
  ],
  [
    "threads that are none",
    () => [trace, "--agent", "threads:3-1"],
    /--agent threads:3-1: expected threads from/,
  ],
  [
    "a device range that is none",
    () => [trace, "--device-range", "5"],
    /--device-range 5: expected \[NAME=\]/,
  ],
  [
    "ranges that overlap",
    () => [trace, "--range", "a=0x1000-0x3000", "--range", "b=0x2000-0x4000"],
    /--range b: expected a range that does not overlap a/,
  ],
  [
    "a workload and a trace",
    () => [trace, "--workload", "add"],
    /expected a trace or --workload, and not both/,
  ],
  ["an unknown workload", () => ["--workload", "x"], /--workload x: no workload is named "x"; there are add/],
  ["a config that does not exist", () => ["--config", "nowhere"], /nowhere: no such file/],
  ["a config that is no JSON", () => ["--config", file("text.json", "{")], /text\.json: this is no JSON: /],
  [
    "a config with a field that does not exist",
    () => ["--config", file("field.json", '{"trace":"x","policy":"mirror"}')],
    /field\.json: the config must not have the field policy/,
  ],
  [
    "a config with a value of another type",
    () => [trace, "--config", file("type.json", '{"skip":"many"}')],
    /type\.json: skip must be integer/,
  ],
  [
    "a config with a value that cannot be",
    () => [trace, "--config", file("size.json", '{"deviceMemory":"lots"}')],
    /size\.json: deviceMemory lots: expected a size/,
  ],
  ["an unknown backing", () => [trace, "--backing", "none"], /--backing none: expected data or metadata/],
  ["an unknown option", () => [trace, "--jsn"], /unknown option '--jsn'/],
  ["a missing argument", () => [], /expected a trace or --workload, and not both/],
  ["two traces", () => [trace, trace], /too many arguments/],
]);
test.run();
