/** The picture of a run: columns and rows that double, and what is in them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HeatMap } from "../../src/report/heat-map.ts";
import { htmlOf } from "../../src/report/html.ts";
import { COLUMNS, Gauge, TimeAxis } from "../../src/report/time-axis.ts";
import { hotspotPicture, pictureOf } from "./run.ts";

const PAGE = 4096;
const axis = suite("report: axis of time");
axis("columns double when a time lies beyond them; sums stay", () => {
  const on = new TimeAxis();
  const series = on.series();
  for (let time = 0; time < 2000; time++) series[on.column(time)]++;
  assert.is(on.width, 4); // 512 columns of 4 hold 2,048
  assert.equal([...series.subarray(0, 500)], Array(500).fill(4));
  assert.is(on.column(COLUMNS * 4), COLUMNS / 2);
  assert.is(
    series.reduce((sum, value) => sum + value),
    2000,
  );
});
axis("an amount is spread over a span evenly", () => {
  const on = new TimeAxis();
  on.column(COLUMNS * 8 - 1); // columns of 8
  const series = on.series();
  on.spread(series, 4, 28, 24); // half of column 0, columns 1 and 2, half of column 3
  assert.equal([...series.subarray(0, 5)], [4, 8, 8, 4, 0]);
  on.spread(series, 9, 9, 5);
  assert.is(series[1], 13);
});
axis("a gauge has its value times the time that it lasted", () => {
  const on = new TimeAxis();
  on.column(COLUMNS * 10 - 1); // columns of 16
  const gauge = new Gauge(on);
  gauge.add(8, 3);
  gauge.add(24, -2);
  // Column 0: 3 for 8; column 1: 3 for 8, then 1 for 8. To look twice changes nothing.
  for (let i = 0; i < 2; i++) assert.equal([...gauge.until(32).subarray(0, 3)], [24, 32, 0]);
});
axis.run();

const heat = suite("report: heat map");
const sharesOf = (text: string): number[] => [...Buffer.from(text, "base64")];
heat("a page that is on the device half of a column's time has half a share", () => {
  const on = new TimeAxis();
  on.column(COLUMNS * 8 - 1); // columns of 8
  const map = new HeatMap(on);
  assert.is(map.change(0, 0, 1, true, true), 1);
  assert.is(map.change(4, 0, 1, true, false), -1);
  map.change(4, 0, 1, false, true);
  assert.is(map.change(5, 0, 1, false, true), 0); // it is there already
  const { rows, rowBytes } = map.picture(16, 2);
  assert.is(rowBytes, PAGE);
  assert.equal(sharesOf(rows[0].device), [128, 0]);
  assert.equal(sharesOf(rows[0].ram), [128, 255]);
});
heat("rows are merged in pairs when there are too many", () => {
  const on = new TimeAxis();
  on.column(COLUMNS - 1);
  const map = new HeatMap(on);
  map.change(0, 0, 1000, true, true); // 1,000 pages: rows of 8 pages
  map.change(0, PAGE * 500, 4, true, false);
  const { rows, rowBytes } = map.picture(1, 1);
  assert.equal([rows.length, rowBytes], [125, 8 * PAGE]);
  const shares = rows.map(({ device }) => sharesOf(device)[0]);
  assert.equal(shares.slice(61, 65), [255, 128, 255, 255]); // pages 500 to 503 are half of row 62
});
heat.run();

const picture = suite("report: picture");
picture("hotspot's sums are the report's", async () => {
  const { series, report, sizes, kernels, axis, heat: map } = await hotspotPicture();
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  assert.is(sum(series.cpuFaults), report.faults.cpu);
  assert.is(sum(series.deviceFaults), report.faults.device);
  assert.is(sum(series.groups), report.managed.groups);
  // Columns are rounded to whole bytes.
  assert.ok(Math.abs(sum(series.bytesToDevice) - report.managed.bytesToDevice) < axis.columns);
  assert.ok(Math.abs(sum(series.busyToHost) - report.timing!.busy.toHost) < axis.columns);
  assert.ok(Math.abs(sum(series.bytesEvicted) - report.device.bytesOutEvicted) < axis.columns);
  const transfers = sizes.flatMap((one) => one.sizes.map(([, count]) => count));
  assert.is(sum(transfers), report.managed.transfersToDevice + report.managed.transfersToHost);
  assert.equal(
    kernels.map(({ name }) => name),
    ["initialize", "hotspot", "hotspot", "hotspot", "hotspot", "read back"],
  );
  assert.is(axis.end, report.timing!.total);
  assert.is(map.rowBytes * map.rows.length, 12 << 20);
  // At the end 6 MiB are on the device; the last column has an average of what the read back leaves.
  const onDevice = map.rows.reduce((all, { device }) => all + sharesOf(device)[axis.columns - 1] / 255, 0);
  assert.ok(Math.abs((onDevice * map.rowBytes) / 2 ** 20 - 6) < 2, String(onDevice));
});
picture("a run that is longer has no larger picture, and one that is repeated the same page", async () => {
  const run = (accesses: number) =>
    pictureOf(`zipf:size=4MiB,accesses=${accesses}`, { deviceMemory: "1MiB" });
  const [short, long] = [await run(2_000), await run(60_000)];
  assert.ok(JSON.stringify(long).length < 1.5 * JSON.stringify(short).length + 20_000);
  assert.is(short.axis.unit, "accesses");
  assert.is(short.axis.end, 2_000);
  assert.is(htmlOf(short), htmlOf(await run(2_000)));
  assert.ok(htmlOf(long).length < 1.5e6);
});
picture("text of the run cannot end the page's script", async () => {
  const shown = await pictureOf("add:size=64KiB", {});
  const html = htmlOf({ ...shown, title: "</script><b>" });
  assert.not.match(html, /<\/script><b>/);
  assert.match(html, /<title>&lt;\/script>&lt;b> – heteromem<\/title>/);
});
picture.run();
