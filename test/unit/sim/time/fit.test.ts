/** Fits of a model's constants to profiles. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fitGroups, fitLink, meanError, worstError, type Profile } from "../../../../src/sim/time/fit.ts";

const fits = suite("time: fit");
fits("times that follow the rule give its constants, and no error", () => {
  // 0.8 µs a transfer and 1/12,000 µs a byte (12 GB/s).
  const sums = [
    [48, 8 << 20],
    [300, 44 << 20],
    [9000, 64 << 20],
  ].map(([count, bytes]) => ({ count, bytes, time: 0.8 * count + bytes / 12e3 }));
  const { each, errors, leftOut } = fitLink(sums)!;
  assert.ok(Math.abs(each[0] - 0.8) < 1e-9 && Math.abs(1 / each[1] - 12e3) < 1e-3);
  assert.ok(worstError(errors) < 1e-9 && worstError(leftOut) < 1e-9);
});
fits("short runs count as much as long ones", () => {
  // Two samples tell of a transfer alone: 1 transfer in 1 µs, 100 in 200. The relative errors a − 1 and
  // a / 2 − 1 have the least sum of squares at a = (1 + 1/2) / (1 + 1/4) = 1.2; the third is a byte alone.
  const { each } = fitLink([
    { count: 1, bytes: 0, time: 1 },
    { count: 100, bytes: 0, time: 200 },
    { count: 0, bytes: 1, time: 3 },
  ])!;
  assert.ok(Math.abs(each[0] - 1.2) < 1e-12 && Math.abs(each[1] - 3) < 1e-12, each.join(" "));
});
fits("groups: 100 µs each and 5 µs a transfer, beside the link", () => {
  const profiles: Profile[] = [
    [12, 48, 755],
    [99, 350, 4000],
    [400, 7700, 32800],
  ].map(([groups, count, time]) => ({
    name: "p",
    toDevice: { count, bytes: 1, time },
    toHost: null,
    groups: { count: groups, time: 100 * groups + 5 * count + time },
  }));
  const { each } = fitGroups(profiles)!;
  assert.equal(
    each.map((one) => Math.round(one * 1e6) / 1e6),
    [100, 5],
  );
});
fits("an error is relative, and the one left out is judged by the others", () => {
  // Two samples of the same rule determine the constants 1 and 1; the third takes 10 % more than they say.
  const sums = [
    { count: 1, bytes: 2, time: 3 },
    { count: 2, bytes: 1, time: 3 },
    { count: 1, bytes: 1, time: 2.2 },
  ];
  const { leftOut } = fitLink(sums)!;
  assert.ok(Math.abs(leftOut[2] - (2 / 2.2 - 1)) < 1e-12);
  assert.is(meanError([0.1, -0.3]), 0.2);
  assert.is(worstError([0.1, -0.3]), 0.3);
});
fits("transfers that are all alike determine nothing", () => {
  assert.is(fitLink([{ count: 1, bytes: 4096, time: 1 }]), null);
  assert.is(
    fitLink([
      { count: 1, bytes: 4096, time: 1 },
      { count: 2, bytes: 8192, time: 2 },
    ]),
    null,
  );
});
fits.run();
