/** The driver that docs/guide/driver.md grows works, and its retry is necessary. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rejectionOf } from "../util/driver.ts";
import { joined, readPage, run } from "./programs.ts";

const test = suite("docs: the driver's guide");
const [{ source, output }, ...others] = joined(readPage("docs/guide/driver.md"));

test("is one program, and prints what the page says", async () => {
  assert.equal(others, []);
  assert.is(await run(source), output);
});
test("fails without its retry", async () => {
  const retry = "    if (notifier.readRetry(notifierSeq)) continue;\n";
  assert.is(source.split(retry).length, 2);
  const error = await rejectionOf(() => run(source.replace(retry, "")));
  assert.match(String(error), /ScheduleError: explore: device/);
});

test.run();
