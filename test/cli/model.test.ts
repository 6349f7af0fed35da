/** `heteromem model`, and runs with a model's file. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseProfile } from "../../src/cli/profile.ts";
import type { TimeModel } from "../../src/sim.ts";
import { file, folder, heteromem, report, run } from "./command.ts";

const model = suite("heteromem model");

/** nvprof's table, as it prints it. */
function nvprof(
  h2d: [number, string, string],
  d2h: [number, string, string],
  groups: [number, string],
): string {
  return `==4== Unified Memory profiling result:
Device "NVIDIA GeForce GTX 1080 Ti (0)"
   Count  Avg Size  Min Size  Max Size  Total Size  Total Time  Name
      ${h2d[0]}  170.67KB  4.0000KB  0.9961MB  ${h2d[1]}  ${h2d[2]}  Host To Device
      ${d2h[0]}  170.67KB  4.0000KB  0.9961MB  ${d2h[1]}  ${d2h[2]}  Device To Host
      ${groups[0]}         -         -         -           -  ${groups[1]}  Gpu page fault groups
Total CPU Page faults: 36
`;
}

model("nvprof's units: KB are 1,024 bytes", () => {
  const text = nvprof([48, "8.000000MB", "843.9040us"], [24, "4096.0KB", "1.5ms"], [12, "4.244384ms"]);
  assert.equal(parseProfile("p", text), {
    name: "p",
    toDevice: { count: 48, bytes: 8 << 20, time: 843.904 },
    toHost: { count: 24, bytes: 4 << 20, time: 1500 },
    groups: { count: 12, time: 4244.384 },
  });
});
model("nsys: times in ns, sizes in decimal MB, no groups", () => {
  const text = `
 ** CUDA GPU MemOps Summary (by Time) (cuda_gpu_mem_time_sum):
 Time (%)  Total Time (ns)  Count  Avg (ns)  Med (ns)  Min (ns)  Max (ns)  Operation
     68.0        1,133,594     48   23616.5    6479.5      1887    101024  [CUDA Unified Memory memcpy HtoD]
     32.0           534082     24   22253.4    3647.5      1279     80672  [CUDA Unified Memory memcpy DtoH]
 ** CUDA GPU MemOps Summary (by Size) (cuda_gpu_mem_size_sum):
 Total (MB)  Count  Avg (MB)  Med (MB)  Min (MB)  Max (MB)  Operation
      8.389     48     0.175     0.033     0.004     1.044      [CUDA Unified Memory memcpy HtoD]
      4.194     24     0.175     0.033     0.004     1.044      [CUDA Unified Memory memcpy DtoH]
`;
  const { toDevice, toHost, groups } = parseProfile("p", text);
  assert.equal([toDevice!.count, toDevice!.bytes, toDevice!.time], [48, 8_389_000, 1133.594]);
  assert.equal([toHost!.count, toHost!.time, groups], [24, 534.082, null]);
});

/** Times by 1 µs a transfer and 10 GB/s, 100 µs a group and 5 µs a transfer. */
function exact(count: number, mib: number, groups: number): string {
  const link = count + (mib * 2 ** 20) / 1e4;
  const transfers = [count, `${mib}.0MB`, `${link}us`] as [number, string, string];
  return nvprof(transfers, transfers, [groups, `${100 * groups + 5 * count + link}us`]);
}

model("fit prints constants and errors, and a model that --time takes", () => {
  const files = [exact(48, 8, 12), exact(400, 44, 99), exact(7000, 90, 400)].map((text, i) =>
    file(`profile${i}.txt`, text),
  );
  const { status, stdout } = heteromem(["model", "fit", ...files]);
  assert.is(status, 0);
  assert.match(stdout, /^link to the device: 1 µs a transfer \+ bytes \/ 10 GB\/s$/m);
  assert.match(stdout, /^fault groups: 100 µs a group \+ 5 µs a transfer to the device \+ its link time$/m);
  assert.match(stdout, /worst -?0\.0 %; leave one out: worst -?0\.0 %/);
  const fitted = heteromem(["model", "fit", ...files, "--json", "--name", "mine"]).stdout;
  const path = file("mine.json", fitted);
  const got = report(
    "--workload",
    "add:size=8MiB,grain=4096",
    "--memory-model",
    "managed",
    "--device-threads",
    "one",
    "--time",
    path,
  );
  assert.is(got.time, "mine");
  // 12 groups of 100 µs, 48 transfers of 5 + 1 µs, 8 MiB at 10 GB/s.
  const times = Object.fromEntries(got.timing!.causes.map(({ cause, critical }) => [cause, critical]));
  assert.equal([times.fixed, times.transfer, times.toDevice], [1200e6, 240e6, 48e6 + 838_860_800]);
});
model("show prints a preset that --time takes", () => {
  assert.match(heteromem(["model", "show"]).stdout, /^gh200 +a GH200/m);
  const { stdout } = heteromem(["model", "show", "uvm-smart"]);
  assert.is((JSON.parse(stdout) as TimeModel).name, "uvm-smart");
  const text = run("--workload", "add:size=64KiB", "--time", file("shown.json", stdout)).stdout;
  assert.match(text, /^Time \(uvm-smart\)$/m);
  assert.match(text, /^ {2}limited by the faults in groups: without it the run would take /m);
});
model("instructions of a lackey trace take time, and so they do after a conversion that keeps them", () => {
  const lackey = file("count.lackey", `I  00001000,4\n S 20000000,8\n${"I  00001004,4\n".repeat(999)}`);
  const source = { value: 3, unit: "ns", kind: "measured", source: "a test" };
  const mine = { schema: "heteromem-model/1", name: "mine", about: "a test", cpu: { instruction: source } };
  const path = file("instructions.json", JSON.stringify(mine));
  const hmt = join(folder, "count.hmt");
  assert.is(heteromem(["convert", lackey, hmt, "--instructions", "--quiet"]).stderr, "");
  for (const trace of [lackey, hmt]) {
    const { timing, accesses } = report(trace, "--time", path);
    assert.equal([timing!.total, accesses.cpu.stores], [1000 * 3000, 1], trace);
  }
  const plain = join(folder, "plain.hmt");
  heteromem(["convert", lackey, plain, "--quiet"]);
  assert.is(report(plain, "--time", path).timing!.total, 0);
  const { status, stderr } = heteromem(["convert", lackey, join(folder, "x.din"), "--instructions"]);
  assert.is(status, 2);
  assert.match(stderr, /^heteromem: --instructions: traces of dinero hold no counts of instructions/);
  assert.match(
    heteromem(["convert", hmt, join(folder, "y.din")]).stderr,
    /no counts of instructions: those of 1,000 instructions are left out/,
  );
});
model("what is wrong is one line, and exit code 2", () => {
  const one = file("one.txt", exact(48, 8, 12));
  const bad = file("bad.json", '{"schema":"heteromem-model/1","name":"x","about":"y","cpu":{"fault":9}}');
  const wrong: [string[], RegExp][] = [
    [["model", "fit", one], /^heteromem: model fit: link to the device: expected at least two profiles/],
    [["model", "fit", bad], /bad\.json: no table on unified memory; expected the output of nvprof/],
    [["model", "fit", "nowhere"], /^heteromem: nowhere: no such file\n$/],
    [["model", "show", "fast"], /^heteromem: model show fast: expected pcie3-1080ti or /],
    [
      ["run", "--workload", "add", "--time", "fast"],
      /^heteromem: --time fast: expected none or pcie3-1080ti/,
    ],
    [["run", "--workload", "add", "--time", bad], /bad\.json: cpu\.fault must be object\n$/],
    [
      ["run", "--workload", "add", "--time", "mi300a", "--evict", "lru"],
      /^heteromem: --evict lru: expected none of it/,
    ],
  ];
  for (const [args, says] of wrong) {
    const { status, stdout, stderr } = heteromem(args);
    assert.equal([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, says);
  }
});
model.run();
