/**
 * What runs in the browser for P16: the rows P1 to P7, each of their programs one repetition at a time, when the bench asks
 * for it. chromium.ts bundles this file and serves it; Node's modules do nothing here, so there are no rivals.
 */
import type { Comparison, Context, Result, Row } from "./harness.ts";
import p1 from "./p1.ts";
import p2 from "./p2.ts";
import p3 from "./p3.ts";
import p4 from "./p4.ts";
import p5 from "./p5.ts";
import p6 from "./p6.ts";
import p7 from "./p7.ts";
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

/** Tells the bench something, and waits for what to do next. */
async function send(message: Message): Promise<Order> {
  const response = await fetch("/next", { method: "POST", body: JSON.stringify(message) });
  return (await response.json()) as Order;
}

/** Offers a row's program, and runs it as often as the bench wants. */
async function offer(row: string, { ours, units, rivals }: Comparison): Promise<Result[]> {
  let order = await send({ offers: row });
  let ns = 0;
  while (order === "run") {
    const sample = await ours.run();
    ns = sample.ns;
    order = await send({ sample });
  }
  // Rows look at their own time only.
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
