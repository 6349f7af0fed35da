/** Mutants of the text module (assembly/text): the decoder of traces, and the agent of an instruction. */
import type { Mutant } from "./mutant.ts";

const FAST = "assembly/text/fast-lines.ts";
const LACKEY = "assembly/text/lackey.ts";
const OFFLOAD = "assembly/text/offload.ts";
const LINES = ["text/lackey-random", "text/lackey"];
const RULE = ["text/offload", "text/lackey"];
const FORMATS = ["text/line-formats"];
const WRITER = ["text/hmt-writer"];

export const TEXT: readonly Mutant[] = [
  {
    name: "colon-taken-for-a-size",
    file: FAST,
    before: "usualSize(after) - 1) < 9",
    after: "usualSize(after) - 1) < 10",
    ask: LINES,
  },
  {
    name: "second-line-of-a-pair-not-looked-at",
    file: FAST,
    before: "max<u32>(size - 1, usualSize(after) - 1) < 9",
    after: "size - 1 < 9",
    ask: LINES,
  },
  {
    name: "digits-of-a-pair-not-checked",
    file: FAST,
    before: "        if (!areNibbles(nibbles)) break;\n",
    after: "",
    ask: LINES,
  },
  {
    name: "address-ahead-stays",
    file: FAST,
    before: "    ahead = 0;\n",
    after: "",
    ask: LINES,
  },
  {
    name: "tens-below-zero",
    file: FAST,
    before: "? <u32>0 : <u32>load<u8>(comma, 1)",
    after: "? 0 : <i32>load<u8>(comma, 1)",
    ask: RULE,
  },
  {
    name: "unknown-prefix-is-a-load",
    file: FAST,
    before: "prefix == MODIFY ? RECORD_KIND_MODIFY : RECORD_KIND_FETCH",
    after: "prefix == MODIFY ? RECORD_KIND_MODIFY : RECORD_KIND_LOAD",
    ask: LINES,
  },
  {
    name: "access-of-the-kernels-half-gives-a-record",
    file: FAST,
    before: "      if (address >> KERNEL_SHIFT != 0) break;\n",
    after: "",
    ask: LINES,
  },
  {
    name: "store-of-an-instruction-before-is-a-push",
    file: FAST,
    before: "      last = 0;\n",
    after: "",
    ask: RULE,
  },
  {
    name: "return-within-the-callers-gap-overlooked",
    file: FAST,
    before: "      if (offloadReturns(offload, address)) break;\n",
    after: "",
    ask: RULE,
  },
  {
    name: "long-access-split-anywhere",
    file: "assembly/text/access.ts",
    before: "return RECORD_SIZE_MAX - ((<u32>address + RECORD_SIZE_MAX) & (PAGE_SIZE - 1));",
    after: "return RECORD_SIZE_MAX;",
    ask: LINES,
  },
  {
    name: "tail-call-is-no-entry",
    file: OFFLOAD,
    before: "  if (pc == o.lo && !isReturn(o, last)) enter(o);\n",
    after: "",
    ask: RULE,
  },
  {
    name: "four-byte-push-is-no-call",
    file: OFFLOAD,
    before: "return shape == 8 || shape == 4;",
    after: "return shape == 8;",
    ask: RULE,
  },
  {
    name: "return-of-another-thread-never-ends-it",
    file: OFFLOAD,
    before: "  } else if (!popped) return false;\n",
    after: "  } else return false;\n",
    ask: RULE,
  },
  {
    name: "line-of-another-process-decoded",
    file: LACKEY,
    before: "return s.pid != 0 && s.currentPid != s.pid;",
    after: "return false;",
    ask: LINES,
  },
  {
    name: "rest-of-a-long-comment-is-a-line",
    file: LACKEY,
    before: "      s.dropping = 1;\n",
    after: "",
    ask: RULE,
  },
  {
    name: "incomplete-line-forgotten",
    file: LACKEY,
    before: "  s.carry = bytes;\n",
    after: "",
    ask: RULE,
  },
  {
    name: "return-from-a-nested-call-ends-the-region",
    file: OFFLOAD,
    before: "if (o.pop == 0 || popped) return true;",
    after: "return true;",
    ask: RULE,
  },
  {
    name: "end-of-a-range-is-inside",
    file: OFFLOAD,
    before: "if (load<u64>(rangeAt(o, mid), 8) > pc) hi = mid;",
    after: "if (load<u64>(rangeAt(o, mid), 8) >= pc) hi = mid;",
    ask: RULE,
  },
  {
    name: "callee-in-another-range-is-no-entry",
    file: OFFLOAD,
    before: "  if (pushed) return enter(o);\n",
    after: "",
    ask: RULE,
  },
  {
    name: "place-in-dram-is-an-address",
    file: "assembly/text/addr-rw.ts",
    before: "    if (s.value != address) return refuse(s, ERROR_VECTOR);\n",
    after: "",
    ask: FORMATS,
  },
  {
    name: "warps-of-two-grids-are-one-thread",
    file: "assembly/text/nvbit.ts",
    before: "  threadsReset(s);\n",
    after: "",
    ask: FORMATS,
  },
  {
    name: "write-fault-is-a-load",
    file: "assembly/text/perf-script.ts",
    before: "(s.value & FAULT_WRITE) != 0 ? STORE : LOAD",
    after: "LOAD",
    ask: FORMATS,
  },
  {
    name: "line-that-two-chunks-share-loses-its-beginning",
    file: "assembly/text/trace.ts",
    before: "      s.carry = bytes;\n",
    after: "",
    ask: FORMATS,
  },
  {
    name: "block-goes-on-with-another-thread",
    file: "assembly/text/hmt-write.ts",
    before: "      if (i >= SHORT) break;\n",
    after: "",
    ask: WRITER,
  },
  {
    name: "step-to-a-lower-thread-goes-up",
    file: "assembly/text/hmt-threads.ts",
    before: "(step >> 1) ^ (0 - (step & 1))",
    after: "(step >> 1)",
    ask: WRITER,
  },
  {
    name: "parts-of-a-payload-joined-unchecked",
    file: "assembly/text/hmt-split.ts",
    before: "bytes - count != tails || ",
    after: "",
    ask: ["text/hmt"],
  },
  {
    name: "explanation-of-a-sample-is-its-code-address",
    file: "assembly/text/perf-script.ts",
    before: "load<u8>(s.at) == BAR",
    after: "load<u8>(s.at) == 0",
    ask: FORMATS,
  },
];
