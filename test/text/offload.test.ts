/** The rule for offloaded code: whose accesses are whose, entries of ranges, and what is noticed. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { OffloadRange } from "../../src/text/lackey.ts";
import { decode, type Decoded } from "./decode.ts";

/**
 * Offloaded code: [name, entries] of each range, and the records. A program is text, one instruction a word.
 */
const agent = suite("lackey: offload");
const KERNEL: OffloadRange = { name: "kernel", start: 0x2000, end: 0x2100 };
const HELPER: OffloadRange = { name: "helper", start: 0x3000, end: 0x3100 };

/**
 * "pc access …; pc access …": instructions of 4 bytes with their accesses. S and L access 8 bytes, s and l 4
 * bytes; addresses that begin with f are the stack's.
 */
function program(source: string): string {
  const lines: string[] = [];
  for (const instruction of source.split(";")) {
    const [pc, ...accesses] = instruction.trim().split(/\s+/);
    lines.push(`I  ${pc},4`);
    for (const access of accesses) {
      const kind = access[0].toUpperCase();
      lines.push(` ${kind} ${access.slice(1)},${kind === access[0] ? 8 : 4}`);
    }
  }
  return lines.join("\n") + "\n";
}

interface Agents {
  cpu: string;
  dev: string;
  entries: number[];
}

/** Who makes the accesses of a program for x86. */
function agents(source: string, ...ranges: OffloadRange[]): Agents {
  return agentsOf(decode(program(source), ranges, [], { calls: "push" }));
}

function agentsOf({ records, stats }: Decoded): Agents {
  const of = (who: string): string =>
    records
      .filter((record) => record.startsWith(who))
      .map((record) => record.split(" ")[2].split(",")[0])
      .join(" ");
  const result = { cpu: of("cpu"), dev: of("dev"), entries: stats.offload.map((range) => range.entries) };
  assert.is(stats.device, result.dev === "" ? 0 : result.dev.split(" ").length);
  return result;
}

agent("from the call to its return; the push is the CPU's, the pop the device's", () => {
  assert.equal(agents("1000 l10; 1004 Sff8; 2000 l20; 2004 s30; 2008 Lff8; 1008 l40", KERNEL), {
    cpu: "10 ff8 40",
    dev: "20 30 ff8",
    entries: [1],
  });
});
agent("callees are the device's, in the ranges or not", () => {
  const source = "1000 Sff8; 2000 Sff0; 5000 l50; 5004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 40", dev: "ff0 50 ff0 20 ff8", entries: [1] });
});
agent("a callee in another range is an entry of that range", () => {
  const source = "1000 Sff8; 2000 Sff0; 3000 l50; 3004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  const result = { cpu: "ff8 40", dev: "ff0 50 ff0 20 ff8" };
  assert.equal(agents(source, KERNEL, HELPER), { ...result, entries: [1, 1] });
  assert.equal(agents(source, HELPER, KERNEL), { ...result, entries: [1, 1] }, "in the order given");
});
agent("a call into the middle of another range is an entry, whenever it comes", () => {
  const source =
    "1000 Sff8; 2000 Sff0; 3000 l50; 3004 Lff0; 2004 Sff0; 3010 l51; 3014 Lff0; " +
    "2008 l20; 200c Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL, HELPER).entries, [1, 2]);
});
agent("a store of an instruction before the jump is no push", () => {
  const before = "fe0 l1; fe4 l2; fe8 l3; fec l4; ff0 l5; ";
  assert.equal(agents(`${before}1000 Sff8; 1004; 2000 l20; 1010 l40`, KERNEL), {
    cpu: "1 2 3 4 5 ff8 40",
    dev: "20",
    entries: [1],
  });
});
const RECURSION =
  "1000 Sff8; 2000 Sff0; 1000 Sfe8; 2000 l20; 2004 Lfe8; 1004 l41; " +
  "1008 Lff0; 2004 l21; 2008 Lff8; 1004 l42";
agent("recursion: only the outermost return ends it", () => {
  // The callee outside the kernel calls the kernel again from the place that entered it, deeper in the stack.
  assert.equal(agents(RECURSION, KERNEL), {
    cpu: "ff8 42",
    dev: "ff0 fe8 20 fe8 41 ff0 21 ff8",
    entries: [2],
  });
});
agent("direct recursion in the range is one entry", () => {
  const source = "1000 Sff8; 2000 Sff0; 2000 l20; 2004 Lff0; 2004 l21; 2008 Lff8; 1004 l42";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 42", dev: "ff0 20 ff0 21 ff8", entries: [1] });
});
agent("an indirect call loads its target and then pushes", () => {
  assert.equal(agents("1000 L10 Sff8; 2000 l20; 2004 Lff8; 1004 l40", KERNEL), {
    cpu: "10 ff8 40",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("each call is an entry", () => {
  assert.equal(agents("1000 Sff8; 2000 Lff8; 1004 Sff8; 2000 l20; 2004 Lff8; 1008 l40", KERNEL).entries, [2]);
});
agent("entered by a jump, it ends when code outside goes on", () => {
  assert.equal(agents("1000 l10; 2000 l20; 2004 l21; 1004 l11", KERNEL), {
    cpu: "10 11",
    dev: "20 21",
    entries: [1],
  });
});
agent("entered by a fall-through, even after an 8-byte store", () => {
  assert.equal(agents("1ffc Sff8; 2000 l20; 2004 Lff8; 1004 l11", KERNEL), {
    cpu: "ff8 11",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("entered by a jump, calls out of the range stay on the device until they return", () => {
  const source =
    "1000 l10; 2000 Sff0; 5000 Sfe8; 6000 l60; 6004 Lfe8; 5004 l50; 5008 Lff0; 2004 l20; 1004 l11";
  assert.equal(agents(source, KERNEL), { cpu: "10 11", dev: "ff0 fe8 60 fe8 50 ff0 20", entries: [1] });
});
agent("a call through a stub ends with the function's return", () => {
  // call stub; the stub jumps to the kernel through a loaded address
  assert.equal(agents("1000 Sff8; 4000 L400; 2000 l20; 2004 Lff8; 1004 l11", KERNEL), {
    cpu: "ff8 400 11",
    dev: "20 ff8",
    entries: [1],
  });
});
agent("a call ends where it returns, though control was in the caller's gap already", () => {
  // The kernel jumps to a function next to the caller, and that function returns for the kernel.
  assert.equal(agents("1000 Sff8; 2000 l20; 1500 l50; 1504 Lff8; 1004 l40", KERNEL), {
    cpu: "ff8 40",
    dev: "20 50 ff8",
    entries: [1],
  });
});
agent("a store of an instruction before the last is no push", () => {
  assert.equal(agents("1000 Sff8; 1004; 2000 l20; 1008 l11", KERNEL), {
    cpu: "ff8 11",
    dev: "20",
    entries: [1],
  });
});
agent("the end of a range is outside, its last byte inside", () => {
  assert.equal(agents("20fc l20; 2100 l10; 2104 l11", KERNEL), { cpu: "10 11", dev: "20", entries: [1] });
  assert.equal(agents("1ffc l10; 20ff l20", KERNEL), { cpu: "10", dev: "20", entries: [1] });
});
agent("a return that arrives at the start of another range enters it", () => {
  const after: OffloadRange = { name: "after", start: 0x1004, end: 0x1008 };
  assert.equal(agents("1000 Sff8; 2000 l20; 2004 Lff8; 1004 l11; 1008 l12", KERNEL, after), {
    cpu: "ff8 12",
    dev: "20 ff8 11",
    entries: [1, 1],
  });
});
agent("a range that is never entered has no entries", () => {
  assert.equal(agents("1000 l10; 2000 l20; 1004 l11", HELPER, KERNEL).entries, [0, 1]);
});
agent("the last address there is lies behind all ranges", () => {
  const source = "ffffffffffffffff l10; 2000 l20; ffffffffffffffff l11; ffffffffffffffff l12";
  assert.equal(agents(source, KERNEL), { cpu: "10 11 12", dev: "20", entries: [1] });
  assert.equal(agents(source), { cpu: "10 20 11 12", dev: "", entries: [] });
});
agent("a jump to the first instruction of another range is an entry, one into its middle is none", () => {
  const source = "1000 Sff8; 2000 l20; 3000 l30; 3004 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL, HELPER), { cpu: "ff8 40", dev: "20 30 ff8", entries: [1, 1] });
  const loop = "1000 Sff8; 2000 l20; 3000 l30; 2004 l21; 3008; 2000 l22; 2008 Lff8; 1004 l40";
  assert.equal(agents(loop, KERNEL, HELPER).entries, [2, 1]);
});
agent("a range that code outside jumps to is entered", () => {
  // The kernel calls a stub outside, which jumps to the helper through a loaded address.
  const source = "1000 Sff8; 2000 Sff0; 4000 L400; 3000 l30; 3004 Lff0; 2004 l20; 2008 Lff8; 1004 l40";
  assert.equal(agents(source, KERNEL, HELPER).entries, [1, 1]);
});
agent("on a 32-bit x86 a call pushes four bytes", () => {
  const source = "1000 sffc; 2000 sff8; 5000 l50; 5004 lff8; 2004 l20; 2008 lffc; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ffc 40", dev: "ff8 50 ff8 20 ffc", entries: [1] });
});

/** The same for a machine that keeps return addresses in a register. */
function linked(source: string, ...ranges: OffloadRange[]): Agents {
  return agentsOf(decode(program(source), ranges, [], { calls: "register" }));
}

agent(
  "with a link register, a call is an arrival at a range, and it ends behind the calling instruction",
  () => {
    const source =
      "1000; 2000 Sff0; 2004; 5000 l50; 5004; 2008 Lff0; 200c; 1004 l40; 1008; 2000 l21; 2004; 100c l41";
    assert.equal(linked(source, KERNEL), { cpu: "40 41", dev: "ff0 50 ff0 21", entries: [2] });
    assert.equal(linked("1000; 2000; 2004; 3000 l30; 3004; 2008 l20; 200c; 1004 l40", KERNEL, HELPER), {
      cpu: "40",
      dev: "30 20",
      entries: [1, 1],
    });
  },
);
agent("with a link register, code entered in another way is left as soon as control is outside", () => {
  const source = "1ffc l10; 2000 l20; 2004 l21; 5000 l50; 2008 l22; 3000 l30";
  assert.equal(linked(source, KERNEL), { cpu: "10 50 30", dev: "20 21 22", entries: [1] });
});
agent("the machine is recognized: by an odd length, by a push, by many even lengths", () => {
  const calls = (source: string): unknown => decode(source, [KERNEL]).stats.calls;
  assert.is(calls("I  1000,4\nI  1004,2\n"), null);
  assert.is(calls("I  1000,4\nI  1004,3\n"), "push");
  const even = Array.from({ length: 4096 }, () => "I  1000,4\n").join("");
  assert.is(calls(even), "register");
  assert.is(calls(`${even}I  1000,3\n`), "register");
  // A few instructions of four bytes: a store that jumps is a push, a plain jump to a range a call by
  // register.
  const unknown = (source: string): Agents => agentsOf(decode(program(source), [KERNEL]));
  assert.equal(unknown("1000 Sff8; 2000 l20; 5000 l50; 2004 Lff8; 1004 l40"), {
    cpu: "ff8 40",
    dev: "20 50 ff8",
    entries: [1],
  });
  assert.equal(unknown("1000; 2000 l20; 5000 l50; 2004; 1004 l40"), {
    cpu: "40",
    dev: "20 50",
    entries: [1],
  });
  // The region was taken for a call by register; the odd length says that it was a jump.
  const late = decode("I  1000,2\nI  2000,4\n L 20,4\nI  2004,3\nI  5000,4\n L 50,4\n", [KERNEL]);
  assert.equal(late.records, ["dev L 20,4", "cpu L 50,4"]);
});

/** What the rule noticed of threads. */
function noticed(source: string): [switches: number, missed: number, stacks: number, waiting: boolean] {
  const { switches, missed, stacks, waiting } = decode(program(source), [KERNEL, HELPER], [], {
    calls: "push",
  }).stats;
  return [switches, missed, stacks, waiting];
}

agent("notices control that leaves the kernel without a call and comes back to the next instruction", () => {
  const source = "1000 S1ffefff000; 2000 S500; 6000 S700; 2004 L1ffefff000; 1004 l40";
  assert.equal(noticed(source), [1, 0, 0, false]);
  assert.equal(agents(source, KERNEL), {
    cpu: "1ffefff000 40",
    dev: "500 700 1ffefff000",
    entries: [1],
  });
  assert.equal(noticed("1000 Sff8; 2000 Sff0; 5000; 5004 Lff0; 2004 Lff8; 1004"), [0, 0, 0, false]);
});
agent("a switch of threads at the return ends the region all the same", () => {
  const source = "1000 Sff8; 2000 l20; 2004 Lff8; 7000 l70; 1004 l40";
  assert.equal(agents(source, KERNEL), { cpu: "ff8 70 40", dev: "20 ff8", entries: [1] });
  assert.is(noticed(source)[0], 1);
  // The other thread is in the kernel, too: the return shows when its address comes.
  const same = "1000 Sff8; 2000 l20; 2004 Lff8; 2010 l21; 1004 l40";
  assert.equal(agents(same, KERNEL).cpu, "ff8 40");
  assert.is(noticed(same)[0], 1);
});
agent("a region whose frame is gone has ended: the next call of the kernel begins another one", () => {
  const source = "1000 Sff0; 2000 l20; 5000 l50; 1800 l18; 1804 Sff8; 2000 l21; 2004 Lff8; 1808 l40";
  assert.equal(noticed(source), [0, 1, 0, false]);
  assert.equal(agents(source, KERNEL), { cpu: "ff0 40", dev: "20 50 18 ff8 21 ff8", entries: [2] });
});
agent("notices a return that never comes, and regions on different stacks", () => {
  assert.equal(noticed("1000 Sff8; 2000 l20; 5000 l50"), [0, 0, 0, true]);
  assert.equal(noticed("1000 l10; 2000 Sff8; 5000 l50"), [0, 0, 0, true]);
  assert.equal(noticed("1000 Sff8; 2000 Lff8; 1004 S7fff8; 2000 L7fff8; 1008"), [0, 0, 0, false]);
  assert.equal(
    noticed("1000 S1ffff8; 2000 L1ffff8; 1004 S9ffff8; 2000 L9ffff8; 1008 S1ffff8; 2000 L1ffff8; 100c"),
    [0, 0, 2, false],
  );
});
agent("the state survives a split at every byte", () => {
  const source = program(RECURSION);
  const whole = decode(source, [KERNEL]);
  for (let cut = 0; cut <= source.length; cut++) assert.equal(decode(source, [KERNEL], [cut]), whole);
});
agent.run();
