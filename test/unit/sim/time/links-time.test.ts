/** The time of what goes over links between devices. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { simulate, type SimulationConfig, type TimeModel, type TimingReport } from "../../../../src/sim.ts";
import { blockOf, pages } from "../../../util/sim-blocks.ts";
import { rate, time } from "./models.ts";

/** A link between devices of 2 µs a transfer and 1 GB/s: 1,000 ps a byte. Nothing else takes time. */
const LINK: TimeModel = {
  schema: "heteromem-model/1",
  name: "link",
  about: "test",
  link: {
    formula: "latency-bandwidth",
    toDevice: { latency: time(0, "us"), bandwidth: rate(1e6, "GB/s") },
    toHost: { latency: time(0, "us"), bandwidth: rate(1e6, "GB/s") },
    peer: { latency: time(2, "us"), bandwidth: rate(1, "GB/s") },
  },
};
/** Device 1 makes a cluster; device 2 loads 8 bytes of two pages, and stores 8 bytes to one. */
const ACCESSES = [
  ...pages(0, 1, { agent: 1 }),
  ...pages(1, 2, { agent: 2 }),
  ...pages(2, 1, { agent: 2, kind: "store" }),
];

async function timing(model: TimeModel, config: SimulationConfig = {}): Promise<TimingReport> {
  const all = { systemMemory: "16MiB", deviceMemory: "1MiB", devices: 2, peers: "all", ...config } as const;
  const { timing } = await simulate([blockOf(ACCESSES)], { ...all, time: model });
  return timing!;
}

const links = suite("time: links between devices");
links("accesses take their bytes at the link's bandwidth", async () => {
  // 3 × 8 bytes × 1,000 ps.
  const { causes, untimed, busy } = await timing(LINK);
  assert.equal(
    causes.find(({ cause }) => cause === "peerAccess"),
    { cause: "peerAccess", resource: "device", count: 3, busy: 24_000, critical: 24_000 },
  );
  assert.is(busy.device, 24_000);
  assert.not.ok(untimed.includes("peerAccess"));
});
links("a model may have a latency and rates of its own", async () => {
  // Three accesses of 1 µs, which is more than 16 bytes at 1 GB/s and 8 at 0.5 GB/s.
  const own = { ...LINK, peer: { latency: time(1, "us") } };
  const causeOf = ({ causes }: TimingReport): number =>
    causes.find((one) => one.cause === "peerAccess")!.busy;
  assert.is(causeOf(await timing(own)), 3_000_000);
  const rates = { ...LINK, peer: { memory: { read: rate(1, "GB/s"), write: rate(0.5, "GB/s") } } };
  assert.is(causeOf(await timing(rates)), 16 * 1000 + 8 * 2000);
});
links("pages that move take a transfer each run", async () => {
  // 64 KiB in one transfer: 2 µs and 65,536 × 1,000 ps.
  const { causes } = await timing(LINK, { peerFault: "migrate" });
  const { count, busy } = causes.find(({ cause }) => cause === "peer")!;
  assert.equal([count, busy], [1, 2_000_000 + 65_536_000]);
  assert.is(
    causes.find(({ cause }) => cause === "peerAccess"),
    undefined,
  );
});
links("the device's own memory has what does not go over the link", async () => {
  const { causes } = await timing({ ...LINK, device: { access: time(1, "ns") } });
  // One access of device 1 to its own memory: 1 ns, beside 24 ns on the link.
  const compute = causes.find(({ cause }) => cause === "compute")!;
  assert.equal([compute.count, compute.busy], [1, 1000]);
});
links("a model without a link between devices says so, if there are such accesses", async () => {
  const { link: _, ...none } = LINK;
  const model: TimeModel = { ...none, device: { access: time(1, "ns") } };
  assert.ok((await timing(model)).untimed.includes("peerAccess"));
  assert.not.ok((await timing(model, { peers: "none" })).untimed.includes("peerAccess"));
});
links.run();
