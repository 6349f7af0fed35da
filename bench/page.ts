/**
 * The code that runs in the browser for P16: rows P1 to P7, one repetition of one program whenever the bench
 * orders it. chromium.ts bundles and serves this file. Node's modules do nothing here, so the rows have no
 * rivals.
 */
import type { Comparison, Context, Result, Row } from "./harness.ts";
import p1 from "./rows/range-snapshot.ts";
import p2 from "./rows/translate.ts";
import p3 from "./rows/migrate.ts";
import p4 from "./rows/populate.ts";
import p5 from "./rows/fork.ts";
import p6 from "./rows/mprotect-munmap.ts";
import p7 from "./rows/replay.ts";
import type { Message, Order } from "./chromium.ts";

export const PAGE_ROWS: Readonly<Record<string, Row>> = {
  P1: p1,
  P2: p2,
  P3: p3,
  P4: p4,
  P5: p5,
  P6: p6,
  P7: p7,
};

/** Sends a message to the bench and waits for the next order. */
async function send(message: Message): Promise<Order> {
  const response = await fetch("/next", { method: "POST", body: JSON.stringify(message) });
  return (await response.json()) as Order;
}

/** Offers a program of a row to the bench, and runs it as often as the bench orders. */
async function offer(row: string, { ours, units, rivals }: Comparison): Promise<Result[]> {
  let order = await send({ offers: row });
  let ns = 0;
  while (order === "run") {
    const sample = await ours.run();
    ns = sample.ns;
    order = await send({ sample });
  }
  // A row that reads its own result (for its stages) looks at `ours` alone.
  const { name, target } = rivals[0];
  const none = { theirs: null, ratio: null, met: null };
  return [{ row, rival: name, ours: ns / units, target, ...none, samples: { ours: [], theirs: [] } }];
}

export async function runRows(smoke: boolean): Promise<void> {
  try {
    for (const [name, row] of Object.entries(PAGE_ROWS)) {
      const context: Context = {
        pairs: 1,
        smoke,
        note: () => undefined,
        print: () => undefined,
        compare: (spec) => offer(name, spec),
      };
      await row.run(context);
    }
    await send({ finished: true });
  } catch (error) {
    await send({ error: error instanceof Error ? String(error.stack) : String(error) });
  }
}
