/** The options that say what is simulated and counted, in groups. */
import type { Command } from "commander";
import {
  BACKINGS,
  BOUNDS,
  EVICTIONS,
  INITIALS,
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MANAGED_PREFETCHERS,
  MEMORY_MODELS,
  PEER_FAULTS,
  PLACEMENTS,
  PREFETCHERS,
  TIME_MODELS,
} from "../sim.ts";
import { ADVICE_NAMES } from "../sim/managed-config.ts";
import { several } from "./input-options.ts";

type Choices = Readonly<Record<string, string>>;

/** The choices of an option, and the one that is the default. */
function names(choices: Choices, first = Object.keys(choices)[0]): string {
  return `${Object.keys(choices).join(", ")} (default: ${first})`;
}

/** The choices that are not among other ones. */
function others(choices: Choices, known: Choices): string {
  return Object.keys(choices)
    .filter((name) => !Object.hasOwn(known, name))
    .join(", ");
}

/** Adds the options that say what is simulated and counted. */
export function addSimulation(command: Command): Command {
  return command
    .optionsGroup("Memory:")
    .option("--system-memory <SIZE>", "RAM (default: 1GiB)")
    .option("--device-memory <SIZE>", "memory of each device (default: 256MiB)")
    .option("--device-frames <N>", "device memory in frames of 4 KiB, in place of --device-memory")
    .option("--devices <N>", "devices: agent n of the trace is device n (default: 1, which all agents are)")
    .option("--peers <none|all|A-B,…>", "links between devices (default: none; repeatable)", several)
    .option("--peer-fault <NAME>", `a fault on a page of a linked device: ${names(PEER_FAULTS)}`)
    .option(
      "--home <NAME=N|interleave>",
      "whose memory a page comes to that is on no device (default: of the device that faults; repeatable)",
      several,
    )
    .option("--initial <WHERE>", `where untouched pages lie: ${names(INITIALS)}`)
    .option("--backing <NAME>", `whether pages have contents: ${names(BACKINGS)}`)
    .option("--memory-model <NAME>", `how memory is shared: ${names(MEMORY_MODELS)}`)
    .optionsGroup("Policies:")
    .option(
      "--placement <NAME>",
      `what a device fault does: ${names(PLACEMENTS)}; ` +
        `managed also: ${others(MANAGED_PLACEMENTS, PLACEMENTS)}`,
    )
    .option("--policy <NAME>", "another name of --placement")
    .option("--cluster <SIZE>", "what moves together, 4K or 64K (default: 64K with cluster64K, else 4K)")
    .option(
      "--prefetch <NAME>",
      `what moves along: ${names(PREFETCHERS)}; managed: ${Object.keys(MANAGED_PREFETCHERS).join(", ")} ` +
        "(default: density:51)",
    )
    .option("--prefetch-full <NAME>", "what moves along once device memory was full (default: as before)")
    .option(
      "--evict <NAME>",
      `what makes room: ${names(EVICTIONS)}; managed: ${names(MANAGED_EVICTIONS)}, or one of these`,
    )
    .option("--reserve <PERCENT>", "percent of the order of use, from its oldest end on, that is no victim")
    .option("--free-buffer <PERCENT>", "percent of the device's memory that evictions keep free (default: 0)")
    .option("--seed <N>", "seed of the policies that draw random numbers (default: 1)")
    .option("--bound <NAME>", `a bound beside the counts: ${names(BOUNDS, "none")}`)
    .option("--time <MODEL>", `what times are computed by: ${names(TIME_MODELS)}; or a model's file`)
    .optionsGroup("Accesses and counts:")
    .option("--agent <WHO>", "who accesses: trace, cpu, device[@N] or threads:LIST (default: trace)")
    .option(
      "--device-range <[NAME=]0xSTART-0xEND[@N]>",
      "data that the device, or device N, accesses (repeatable)",
      several,
    )
    .option("--range <[NAME=]0xSTART-0xEND>", "data that is counted by name (repeatable)", several)
    .option("--skip <N>", "do not replay the first N accesses")
    .option("--roi <FROM-TO>", "count accesses FROM to before TO; replay those before, and end at TO")
    .option("--epoch <N|kernel>", "counts for each N accesses, or for each kernel")
    .option(
      "--fail-alloc <N>",
      "make the N-th allocation inside the engine fail once; the report says what came of it",
    );
}

/** Adds the options that only managed memory has. */
export function addManaged(command: Command): Command {
  return command
    .optionsGroup("With --memory-model managed:")
    .option(
      "--advise <NAME=ADVICE>",
      `advice about ranges of a name: ${ADVICE_NAMES.join(", ")} (repeatable)`,
      several,
    )
    .option("--thrashing <on|off>", "whether the driver looks for thrashing (default: on)")
    .option(
      "--counter-threshold <N>",
      "remote accesses to 2 MiB that migrate with counters (default: 256); the threshold of adaptive (8)",
    )
    .option(
      "--remote-reads <adaptive|always|oversubscribed>",
      "when a read brings its page with --placement adaptive (default: adaptive)",
    )
    .option("--remote-penalty <N>", "factor of adaptive's threshold once memory was full (default: 8)")
    .option(
      "--device-threads <trace|one|split:N>",
      "whose the device's accesses are: the records' threads, one, or a loop's iterations (default: trace)",
    )
    .option("--sms <N>", "the device's SMs; two share a µTLB (default: 80)")
    .option("--outstanding <N>", "faults that a µTLB has outstanding (default: 56)")
    .option(
      "--replay <batch-flush|batch|block|once>",
      "when the driver replays faults (default: batch-flush)",
    )
    .option(
      "--fetch <complete|timed>",
      "when it fetches faults: when no warp can go on, or as soon as one faulted (default: complete)",
    )
    .option("--thrashing-lapse <US>", "how far apart a thrashing page's events are (default: 500 µs)")
    .option(
      "--schedules <N>",
      "run N orders of warps and report each count's least, median and most (default: 1)",
    );
}
