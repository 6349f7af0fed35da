/** Traces for Perfetto, decoded by protobufjs from a schema of the published field numbers. */
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PerfettoTrace } from "../../src/report/perfetto/trace.ts";
import { ProtoWriter } from "../../src/report/perfetto/protobuf.ts";
import { feedAll, openWorkload, Simulation } from "../../src/sim.ts";

interface Event {
  type: number;
  trackUuid: number;
  name?: string;
  counterValue?: number;
  flowIds?: number[];
}
interface Packet {
  timestamp?: number;
  trustedPacketSequenceId: number;
  sequenceFlags?: number;
  trackEvent?: Event;
  trackDescriptor?: { uuid: number; name: string; parentUuid?: number; counter?: { unit: number } };
}
const BEGIN = 1;
const END = 2;
const COUNTER = 4;

const Trace = protobuf.parse(readFileSync("test/report/trace.proto", "utf8")).root.lookupType("Trace");

function decode(bytes: Uint8Array): Packet[] {
  return (Trace.toObject(Trace.decode(bytes), { longs: Number }) as { packet: Packet[] }).packet;
}

/** Runs hotspot with little memory, one iteration after the other or in parallel, and returns its trace. */
async function trace(deviceThreads: "one" | "trace" = "one"): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const perfetto = new PerfettoTrace((bytes) => parts.push(bytes));
  using simulation = await Simulation.create({
    systemMemory: "64MiB",
    deviceMemory: "10MiB",
    backing: "metadata",
    memoryModel: "managed",
    deviceThreads,
    time: "pcie3-1080ti",
  });
  simulation.listen(perfetto);
  await feedAll(simulation, openWorkload("hotspot:iterations=2"));
  simulation.report();
  perfetto.finish();
  return Buffer.concat(parts);
}

const proto = suite("report: protobuf");
proto("numbers beyond 32 bits, texts and messages", () => {
  const writer = new ProtoWriter();
  writer.message(1, (packet) => {
    packet.uint(8, 2 ** 40 + 300);
    packet.message(11, (event) => {
      event.text(23, "größer");
      event.fixed64(47, 2 ** 33 + 5);
      event.fixed64(47, 1);
    });
  });
  const [{ timestamp, trackEvent }] = decode(writer.take());
  assert.is(timestamp, 2 ** 40 + 300);
  assert.is(trackEvent!.name, "größer");
  assert.equal(trackEvent!.flowIds, [2 ** 33 + 5, 1]);
});
proto("bytes as the specification has them", () => {
  const writer = new ProtoWriter();
  writer.uint(1, 150); // the example of the encoding's documentation: 08 96 01
  writer.text(2, "testing"); // 12 07 74 65 73 74 69 6e 67
  assert.is(Buffer.from(writer.take()).toString("hex"), "089601120774657374696e67");
});
proto.run();

const perfetto = suite("report: Perfetto");
perfetto("tracks, nested slices, counters and flows", async () => {
  const bytes = await trace();
  const packets = decode(bytes);
  assert.ok(packets.every(({ trustedPacketSequenceId: id }) => id === 1));
  assert.is(packets[0].sequenceFlags, 1);
  const tracks = new Map(
    packets.flatMap(({ trackDescriptor: one }) => (one ? [[one.name, one.uuid] as const] : [])),
  );
  const events = packets.flatMap(({ timestamp, trackEvent }) =>
    trackEvent ? [{ at: timestamp!, ...trackEvent }] : [],
  );
  const on = (name: string) => events.filter(({ trackUuid }) => trackUuid === tracks.get(name));
  // Slices of a track nest: each end closes what began last, and times do not go back.
  for (const name of tracks.keys()) {
    let [depth, last] = [0, 0];
    for (const { type, at } of on(name)) {
      assert.ok(at >= last, `${name}: ${at} after ${last}`);
      last = at;
      depth += type === BEGIN ? 1 : type === END ? -1 : 0;
      assert.ok(depth >= 0 && depth <= 2, name);
    }
    assert.is(depth, 0, name);
  }
  const begun = (name: string): (string | undefined)[] =>
    on(name).flatMap(({ type, name: text }) => (type === BEGIN ? [text] : []));
  assert.equal(begun("kernels"), ["initialize", "hotspot", "hotspot", "read back"]);
  // A batch's parts lie in it.
  assert.equal(begun("driver: fault groups").slice(0, 2), ["group of 2", "fixed part of fault groups"]);
  const groups = on("driver: fault groups").filter(({ name }) => name?.startsWith("group of"));
  const copies = on("link to the device").filter(({ type }) => type === BEGIN);
  // The first batch's flow goes to its transfers, which begin in it.
  const [flow] = groups[0].flowIds!;
  const own = copies.filter(({ flowIds }) => flowIds?.includes(flow));
  assert.ok(own.length > 0 && own.every(({ at }) => at >= groups[0].at && at < groups[1].at));
  assert.ok(copies.every(({ flowIds }) => flowIds?.length === 1));
  const resident = on("bytes on the device").filter(({ type }) => type === COUNTER);
  assert.ok(Math.max(...resident.map(({ counterValue }) => counterValue!)) <= 10 << 20);
  assert.ok(resident.length > 10);
});
perfetto("warps of a pair of SMs wait from their first fault until a replay lets them go on", async () => {
  const packets = decode(await trace("trace"));
  const tracks = packets.flatMap(({ trackDescriptor: one }) =>
    one?.name.startsWith("warps of") ? [one] : [],
  );
  assert.ok(tracks.length > 2, `${tracks.length} groups of warps`);
  assert.ok(
    tracks.every(
      ({ name, uuid, parentUuid }) =>
        name === `warps of SMs ${2 * (uuid - 100)} and ${2 * (uuid - 100) + 1}` && parentUuid === 3,
    ),
  );
  const events = packets.flatMap(({ timestamp, trackEvent }) =>
    trackEvent ? [{ at: timestamp!, ...trackEvent }] : [],
  );
  const groups = events.filter(({ trackUuid, name }) => trackUuid === 6 && name?.startsWith("group of"));
  for (const { uuid } of tracks) {
    const own = events.filter(({ trackUuid }) => trackUuid === uuid);
    assert.ok(own.every(({ type }, i) => type === (i % 2 === 0 ? BEGIN : END)) && own.length % 2 === 0);
    // Each wait lasts for a service of faults, at least.
    for (let i = 0; i < own.length; i += 2)
      assert.ok(groups.some(({ at }) => at >= own[i].at && at < own[i + 1].at));
  }
});
perfetto("the same run gives the same bytes", async () => {
  assert.ok(Buffer.compare(await trace(), await trace()) === 0);
});
perfetto.run();
