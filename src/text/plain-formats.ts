/** The formats of other tools that can be written, and what each can say of an access. */

/** What a format can say, besides an access's address and whether it is a load or a store. */
export interface Capabilities {
  /** Whose accesses it has: the CPU's, or those of one device. */
  agent: "cpu" | "device";
  threads: boolean;
  /** Which sizes: any, none, or some of them. */
  sizes: "any" | "none" | readonly number[];
  /** The address of the instruction. */
  code: boolean;
  /**
   * Loads and stores that are one access: kept; split into a load and a store; or an instruction that does
   * both, which a reader splits.
   */
  modify: "kept" | "split" | "instruction";
  /** Instruction fetches; without it, they are left out. */
  fetch: boolean;
  /** Where kernels begin and end, without their names. */
  kernels: boolean;
  /** Whether an access may have the address 0. */
  zero: boolean;
}

/** A format that can be written. */
export interface PlainFormat extends Capabilities {
  /** What the format is called in sentences. */
  title: string;
  /** Ends of names of files that have this format. */
  extensions: readonly string[];
}

/** What most formats can say. */
const LITTLE: Capabilities = {
  agent: "cpu",
  threads: false,
  sizes: "none",
  code: false,
  modify: "split",
  fetch: false,
  kernels: false,
  zero: true,
};

/** The formats that can be written, besides .hmt. */
export const PLAIN_FORMATS = {
  // Lines of instructions would claim to be all that ran.
  lackey: {
    ...LITTLE,
    title: "lackey without instructions",
    extensions: [".lackey"],
    sizes: "any",
    modify: "kept",
  },
  nvbit: {
    ...LITTLE,
    title: "NVBit mem_trace",
    extensions: [".nvbit"],
    agent: "device",
    threads: true,
    sizes: [1, 2, 4, 8, 16],
    modify: "kept",
    kernels: true,
    zero: false,
  },
  drmemtrace: {
    ...LITTLE,
    title: "drmemtrace",
    extensions: [".drmemtrace"],
    threads: true,
    sizes: "any",
    code: true,
    fetch: true,
  },
  "perf-script": { ...LITTLE, title: "perf script", extensions: [".perf"], threads: true, code: true },
  pinatrace: { ...LITTLE, title: "pinatrace", extensions: [".out"], code: true },
  dinero: { ...LITTLE, title: "Dinero", extensions: [".din"], fetch: true },
  "addr-rw": { ...LITTLE, title: "ADDRESS R|W", extensions: [".trace", ".txt"] },
  champsim: {
    ...LITTLE,
    title: "ChampSim",
    extensions: [".champsim", ".champsimtrace"],
    code: true,
    modify: "instruction",
    zero: false,
  },
} satisfies Record<string, PlainFormat>;

export type PlainFormatName = keyof typeof PLAIN_FORMATS;
