/** What real GPUs did: the NVIDIA driver's log of faults, and the tables of nvprof and nsys. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readUnifiedMemory, type UnifiedMemory } from "../../src/text/um-tables.ts";
import { LogError, readFaultLog } from "../../src/text/uvm-log.ts";

const SAMPLES = new URL("./samples/", import.meta.url);

const test = suite("profiles");

test("the sample of the driver's log: one batch with one fault, and no end", () => {
  const text = readFileSync(new URL("uvm-fault.csv", SAMPLES), "utf8").replaceAll(/\$$/gm, "");
  const { batches, outside, skipped } = readFaultLog(text);
  assert.equal([outside, skipped], [{ faults: [], prefetches: [], evictions: [] }, 0]);
  assert.equal(batches, [
    {
      start: 2567418458442n,
      end: null,
      faults: [
        {
          address: 0x7fb144000000n,
          time: 1606348764141810176n,
          type: 0,
          access: 1,
          mask: 2,
          instances: 1,
          rest: ["0", "0", "0", "127", "1", "0", "1", "63"],
        },
      ],
      prefetches: [],
      evictions: [],
    },
  ]);
});

test("batches end, and have prefetches and evictions; other lines are counted", () => {
  const fault = "f,7fb144000000,1,0,1,2,1,0";
  const lines = ["s,", fault, "p,7fb144001000,15", "b,", "e,7fb144000000", "s,", fault, fault];
  const text = lines.map((line, i) => `4,${i},${100 + i},-;${line}`).join("\n");
  const { batches, outside, skipped } = readFaultLog(`6,1,99,-;nvidia: loaded\n${text}\r\n\n`);
  assert.equal(
    batches.map(({ start, end, faults }) => [start, end, faults.length]),
    [
      [100n, 103n, 1],
      [105n, null, 2],
    ],
  );
  assert.equal(batches[0].prefetches, [{ time: 102n, fields: ["7fb144001000", "15"] }]);
  assert.equal([outside.evictions, skipped], [[{ time: 104n, fields: ["7fb144000000"] }], 1]);
  for (const [line, message] of [
    ["b,", /^line 1: a batch ends that has not begun$/],
    ["f,xyz,1,0,1,2,1", /^line 1: expected an address and a time/],
    ["f,7fb144000000", /^line 1: expected an address and a time/],
    ["f,7fb144000000,1,0,1,x,1", /^line 1: expected type, access, mask and instances/],
  ] as const)
    assert.throws(
      () => readFaultLog(`4,1,2,-;${line}\n`),
      (error: unknown) => {
        assert.instance(error, LogError);
        return message.test((error as Error).message);
      },
    );
});

const NVPROF = `==1234== NVPROF is profiling process 1234, command: ./add
==1234== Profiling result:
            Type  Time(%)      Time     Calls       Avg       Min       Max  Name
 GPU activities:  100.00%  2.6110ms         1  2.6110ms  2.6110ms  2.6110ms  add(int, float*, float*)

==1234== Unified Memory profiling result:
Device "Tesla V100-SXM2-16GB (0)"
   Count  Avg Size  Min Size  Max Size  Total Size  Total Time  Name
      48  170.67KB  4.0000KB  0.9961MB  8.000000MB  843.9040us  Host To Device
      24  170.67KB  4.0000KB  0.9961MB  4.000000MB  357.3440us  Device To Host
      12         -         -         -           -  4.244000ms  Gpu page fault groups
Total CPU Page faults: 36
`;
const ADD: UnifiedMemory = {
  device: "Tesla V100-SXM2-16GB (0)",
  hostToDevice: { count: 48, bytes: 8388608, time: 843904 },
  deviceToHost: { count: 24, bytes: 4194304, time: 357344 },
  deviceToDevice: null,
  faultGroups: { count: 12, time: 4244000 },
  deviceFaults: null,
  cpuFaults: 36,
};

test("nvprof's table of CUDA's tutorial", () => {
  assert.equal(readUnifiedMemory(NVPROF), [ADD]);
  assert.throws(
    () => readUnifiedMemory(NVPROF.replace("8.000000MB", "8.000000XB")),
    /^line 9: expected a number with B, KB, MB, GB, TB, found '8.000000XB'$/,
  );
});

const COLUMNS = `[5/8] Executing 'cuda_gpu_mem_time_sum' stats report

 Time (%)  Total Time (ns)  Count  Avg (ns)  Med (ns)  Min (ns)  Max (ns)               Operation
 --------  ---------------  -----  --------  --------  --------  --------  ---------------------------------
     70.0          843,904     48  17,581.3   3,679.0     1,918    81,055  [CUDA Unified Memory memcpy HtoD]
     30.0          357,344     24  14,889.3   2,751.0     1,055    79,295  [CUDA Unified Memory memcpy DtoH]
      0.0            1,000      1   1,000.0   1,000.0     1,000     1,000  [CUDA memset]

[6/8] Executing 'cuda_gpu_mem_size_sum' stats report

 Total (MB)  Count  Avg (MB)  Med (MB)  Min (MB)  Max (MB)  StdDev (MB)               Operation
 ----------  -----  --------  --------  --------  --------  -----------  ---------------------------------
      8.389     48     0.175     0.033     0.004     1.044        0.301  [CUDA Unified Memory memcpy HtoD]
      4.194     24     0.175     0.033     0.004     1.044        0.301  [CUDA Unified Memory memcpy DtoH]

[7/8] Executing 'um_total_sum' stats report

 Total HtoD Migration Size (MB)  Total DtoH Migration Size (MB)  Total CPU Page Faults  Total GPU PageFaults
 ------------------------------  ------------------------------  ---------------------  --------------------
                          8.389                           4.194                     36                    12
`;
const NSYS: UnifiedMemory = {
  ...ADD,
  device: null,
  hostToDevice: { count: 48, bytes: 8389000, time: 843904 },
  deviceToHost: { count: 24, bytes: 4194000, time: 357344 },
  faultGroups: null,
  deviceFaults: 12,
};

test("the tables of nsys, in columns and as CSV", () => {
  assert.equal(readUnifiedMemory(COLUMNS), [NSYS]);
  const csv = `Time (%),Total Time (ns),Count,Avg (ns),Operation
70.0,843904,48,17581.3,[CUDA Unified Memory memcpy HtoD]
30.0,357344,24,14889.3,"[CUDA Unified Memory memcpy DtoH]"

Total (MB),Count,Avg (MB),Operation
8.389,48,0.175,[CUDA Unified Memory memcpy HtoD]
4.194,24,0.175,[CUDA Unified Memory memcpy DtoH]

Total HtoD Migration Size (MB),Total DtoH Migration Size (MB),Total CPU Page Faults,Total GPU PageFaults
8.389,4.194,36,12
`;
  assert.equal(readUnifiedMemory(csv), [NSYS]);
  assert.throws(
    () => readUnifiedMemory(csv.replace("4.194,24", "many,24")),
    /^line 7: expected a number under 'Total \(MB\)', found 'many'$/,
  );
});

test("a text without unified memory has nothing", () => {
  for (const text of ["", "hello\n", NVPROF.slice(0, NVPROF.indexOf("==1234== Unified")), "a,b\n1,2\n"])
    assert.equal(readUnifiedMemory(text), []);
});
test.run();
