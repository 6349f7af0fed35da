/** The sections of docs/guide/simulating.md whose programs take longest. Each file tests some. */
import { suite } from "uvu";
import { testPage } from "./programs.ts";

const POLICIES = ["Policies"];
const LONG_RUNS = ["Step by step", "Long runs"];

/** The sections of each file: a new section is one of the others. */
const FILES = {
  policies: (section: string) => POLICIES.includes(section),
  "long runs": (section: string) => LONG_RUNS.includes(section),
  others: (section: string) => ![...POLICIES, ...LONG_RUNS].includes(section),
};

/** Tests the programs of a file's sections. */
export async function testGuide(file: keyof typeof FILES): Promise<void> {
  const test = suite(`docs: the simulating guide, ${file}`);
  await testPage(test, "docs/guide/simulating.md", FILES[file]);
  test.run();
}
