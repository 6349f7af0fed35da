/** The driver that docs/guide/driver.md grows works, and its retry is necessary. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { joined, readPage, run } from "./programs.ts";

const test = suite("docs: the driver's guide");
const [{ source, output }, ...others] = joined(readPage("docs/guide/driver.md"));

test("is one program, and prints what the page says", () => {
  assert.equal(others, []);
  assert.is(run(source), output);
});
test("fails without its retry", () => {
  const retry = "    if (notifier.readRetry(notifierSeq)) continue;\n";
  assert.is(source.split(retry).length, 2);
  assert.throws(() => run(source.replace(retry, "")), /ScheduleError: explore: device/);
});

test.run();
