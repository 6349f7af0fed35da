/** Questions to begin with: those of README.md. */
import type { JSX } from "preact";
import type { Config } from "./question.ts";

interface Preset {
  title: string;
  about: string;
  config: Config;
}

const MANAGED = { memoryModel: "managed", time: "pcie3-1080ti", backing: "metadata" } as const;

export const PRESETS: readonly Preset[] = [
  {
    title: "A working set that does not fit",
    about: "A stencil sweeps four times over 24 MiB; the device has 16. How much is evicted?",
    config: {
      workload: "stencil2d:size=24MiB,grain=64,iterations=4",
      deviceMemory: "16MiB",
      ...MANAGED,
    },
  },
  {
    title: "Random updates",
    about:
      "20,000 words of a table of 24 MiB are updated. Is it better to move pages, or to reach over the link?",
    config: {
      workload: "gups:size=24MiB,updates=20000,init=cpu",
      deviceMemory: "16MiB",
      ...MANAGED,
    },
  },
  {
    title: "A cache that spills to the host",
    about: "Keys and values of a language model's requests, on a device that holds half of them.",
    config: {
      workload: "kvcache:size=16MiB,requests=12,batch=6,prompt=64,output=32,layers=8",
      deviceMemory: "8MiB",
      ...MANAGED,
    },
  },
  {
    title: "A real program",
    about: "A Jacobi stencil, recorded with valgrind. Its sweep runs on a device under Linux's HMM.",
    config: {
      trace: "examples/programs/jacobi.lackey.gz",
      offload: ["sweep=0x401615-0x401695"],
      deviceMemory: "256KiB",
      time: "pcie3-1080ti",
      backing: "metadata",
    },
  },
];

export function Presets({ choose }: { choose: (config: Config) => void }): JSX.Element {
  return (
    <section class="presets" aria-labelledby="presets">
      <h2 id="presets">Ask a question, or begin with one of these</h2>
      <ul>
        {PRESETS.map(({ title, about, config }) => (
          <li key={title}>
            <button type="button" onClick={() => choose(config)}>
              <strong>{title}</strong>
              <span>{about}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="about">
        Or drop a trace anywhere on this page: lackey, NVBit, DynamoRIO, perf, Pin, Dinero, ChampSim, plain
        addresses, or heteromem’s own, also compressed. Files never leave your machine: the simulation runs in
        this page.
      </p>
    </section>
  );
}
