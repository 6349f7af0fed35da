/** `heteromem run` refuses wrong options: one line on stderr, exit code 2. */
import { suite } from "uvu";
import { file } from "./command.ts";
import { PROGRAM } from "./program.ts";
import { refuses } from "./refuses.ts";

const test = suite("heteromem run, wrong options");
const trace = file("program.lackey", PROGRAM.text);

refuses(test, [
  ["a missing offload file", () => [trace, "--offload", "@nowhere"], /nowhere: no such file/],
  ["a bad size", () => [trace, "--device-memory", "lots"], /--device-memory lots: expected a size/],
  [
    "too little device memory",
    () => [trace, "--device-memory", "4KiB"],
    /--device-memory 4KiB: expected at least 64KiB/,
  ],
  [
    "too little system memory",
    () => [trace, "--system-memory", "4KiB"],
    /--system-memory 4KiB: expected at least 64KiB/,
  ],
  [
    "more memory than an engine can have",
    () => [trace, "--system-memory", "64GiB"],
    /^heteromem: --system-memory and --device-memory: .*--backing metadata/,
  ],
  [
    "system memory that the trace outgrows",
    () => [trace, "--system-memory", "64KiB"],
    /program\.lackey:29: --system-memory 64KiB is too small for this trace: no page is left for 0x500c000/,
  ],
  ["an unknown policy", () => [trace, "--policy", "both"], /--policy both: expected migrate or mirror/],
  ["an unknown placement", () => [trace, "--placement", "x"], /--placement x: expected migrate or mirror/],
  [
    "a placement and a policy",
    () => [trace, "--placement", "mirror", "--policy", "mirror"],
    /--policy is another name of --placement: give one of them/,
  ],
  [
    "an unknown memory model",
    () => [trace, "--memory-model", "shared"],
    /--memory-model shared: expected hmm or managed/,
  ],
  [
    "an option of managed memory without it",
    () => [trace, "--schedules", "2"],
    /--schedules 2: expected memoryModel managed, which has it/,
  ],
  [
    "an advice that does not exist",
    () => [trace, "--memory-model", "managed", "--advise", "a=b"],
    /--advise a=b: expected NAME=ADVICE, with read-mostly, preferred-cpu/,
  ],
]);
test.run();
