/** The figures of docs/validation.md that follow from the rules are exact, and the fitted ones are close. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { add, exactRows, fittedRows } from "./sections.ts";
import { simulated } from "./simulated.ts";
import { errorOf } from "./table.ts";

const validation = suite("validation: figures");
validation("what follows from the rules is exact", async () => {
  for (const row of [...add().counts, ...(await exactRows())]) assert.is(row.ours, row.published, row.what);
});
validation(
  "hotspot and fdtd at 100 %: bytes both ways, transfers to the host and CPU faults of a real 1080 Ti",
  () => {
    for (const program of ["hotspot", "fdtd"] as const) {
      const { rows } = simulated(program);
      for (const what of ["MiB to the device", "MiB to the host", "transfers to the host", "CPU faults"]) {
        const row = rows.find((one) => one.what === `${program} 100 %: ${what}`)!;
        assert.is(row.ours, row.published, row.what);
      }
    }
  },
);
validation("the link is within 3 %, groups within 15 % in the mean and 40 % at worst", () => {
  const { link, groups } = fittedRows();
  for (const row of link) assert.ok(Math.abs(errorOf(row)) <= 3, row.what);
  const errors = groups.map((row) => Math.abs(errorOf(row)));
  assert.ok(Math.max(...errors) <= 40 && errors.reduce((sum, one) => sum + one) / errors.length <= 15);
});
validation.run();
