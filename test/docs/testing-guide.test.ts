/** The example of docs/guide/testing-a-driver.md, and the report that the page shows, are true. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HMM_PFN_REQ_FAULT, hmmRangeFault, PAGE_SIZE } from "../../src/index.ts";
import { explore, ScheduleError, type Agent } from "../../src/testing.ts";
import { errorOf } from "../util/driver.ts";
import * as example from "./example.ts";

const test = suite("docs: testing a driver");
const docs = readFileSync(new URL("../../docs/guide/testing-a-driver.md", import.meta.url), "utf8");

test("the example of docs/guide/testing-a-driver.md is example.ts", () => {
  const code = readFileSync(new URL("example.ts", import.meta.url), "utf8")
    .replaceAll("../../src/index.ts", "heteromem")
    .replaceAll("../../src/testing.ts", "heteromem/testing")
    .trim();
  assert.ok(docs.includes(`\`\`\`ts\n${code}\n\`\`\``));
  const { complete, schedules, pruned, states, waits } = example.result;
  const counts = `schedules: ${schedules}, pruned: ${pruned}, states: ${states}, waits: ${waits}`;
  assert.ok(code.includes(`{ complete: ${complete}, ${counts}, … }`), counts);
});

test("docs/guide/testing-a-driver.md shows what explore() reports of its driver without read retry", () => {
  const driver: Agent<example.World> = function* ({ mm, start, table, lock, notifier, pfns }) {
    yield "read begin, and fault the page in";
    const notifierSeq = notifier.readBegin();
    const sem = mm.mmapSem.read("the driver");
    const end = start + PAGE_SIZE;
    hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
    sem.close();
    yield "lock, and read retry";
    using _lock = lock.acquire();
    yield "map, and unlock";
    table.map(start, pfns);
  };
  const error = errorOf(() => explore({ driver, cpu: example.cpu }, { setup: example.setup }));
  assert.instance(error, ScheduleError);
  const { message } = error!;
  assert.ok(docs.includes(message.slice(0, message.indexOf("\npage"))), message);
});

test.run();
