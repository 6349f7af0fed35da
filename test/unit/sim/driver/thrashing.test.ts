/** Detection of thrashing: each sentence of B2, and the hand-derived ping-pong. Times are in microseconds. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CPU, NOWHERE, pcie, type Topology } from "../../../../src/sim/driver/processor.ts";
import { BlockThrashing, Thrashing, type Hint } from "../../../../src/sim/policies/thrashing.ts";
import { bitsOf, listOf } from "./pages.ts";

const GPU = 1;
const US = 1000;
const PAGE = 5;
const PCIE = pcie(1);
/** Both processors map each other's memory; nothing is fast. */
const MUTUAL: Topology = { ...PCIE, maps: [3, 3] };

/** One page of one block, on which processors work in turn. */
class Ping {
  readonly block = new BlockThrashing(0);
  readonly thrashing: Thrashing;

  constructor(topology: Topology = PCIE) {
    this.thrashing = new Thrashing(topology);
  }

  /** Moves the page to a processor. */
  move(processor: number, us: number, page = PAGE): void {
    this.thrashing.event(this.block, bitsOf([[page, page]]), processor, us * US);
  }

  /** The hint for a fault of a processor. */
  fault(processor: number, us: number, where = { preferred: NOWHERE, nearest: NOWHERE }): Hint {
    return this.thrashing.hint(this.block, PAGE, processor, us * US, where);
  }

  get thrashes(): boolean {
    return listOf(this.block.pages).length > 0;
  }
}

/** Moves the page five times, 100 µs apart, the last time to the CPU at 400: it thrashes. */
function thrashing(topology?: Topology): Ping {
  const ping = new Ping(topology);
  for (let i = 0; i < 5; i++) ping.move(i % 2 === 0 ? CPU : GPU, 100 * i);
  assert.ok(ping.thrashes);
  return ping;
}

const NONE: Hint = { kind: "none" };
const throttle = (us: number): Hint => ({ kind: "throttle", until: us * US });
const pin = (where: number): Hint => ({ kind: "pin", where });

const events = suite("driver: thrashing events");
events(
  "the first move sets the block's time, the second makes the state, the fifth is the third that counts",
  () => {
    const ping = new Ping();
    for (let i = 0; i < 5; i++) {
      assert.is(ping.thrashes, false, `before move ${i + 1}`);
      ping.move(i % 2 === 0 ? CPU : GPU, 100 * i);
    }
    assert.ok(ping.thrashes);
  },
);
events("a block that one processor uses, or two far apart in time, has no state", () => {
  const one = new Ping();
  for (let i = 0; i < 20; i++) one.move(GPU, i);
  assert.is(one.block.states, null);
  const apart = new Ping();
  for (let i = 0; i < 20; i++) apart.move(i % 2, 501 * i);
  assert.is(apart.block.states, null);
});
events("events count up to a lapse of 500 µs apart", () => {
  for (const [gap, thrashes] of [
    [500, true],
    [501, false],
  ] as const) {
    const ping = new Ping();
    ping.move(CPU, 0);
    ping.move(GPU, 1);
    for (let i = 1; i <= 3; i++) ping.move(i % 2, 1 + gap * i);
    assert.is(ping.thrashes, thrashes, `${gap}`);
  }
});
events("a late event resets a thrashing page that is not pinned", () => {
  const ping = thrashing();
  ping.move(GPU, 901);
  assert.is(ping.thrashes, false);
});
events("another cause resets the pages that it moves", () => {
  const ping = thrashing();
  ping.thrashing.reset(ping.block, bitsOf([[0, 4]]));
  assert.ok(ping.thrashes);
  ping.thrashing.reset(ping.block, bitsOf([[PAGE, PAGE]]));
  assert.is(ping.thrashes, false);
  assert.equal(ping.fault(GPU, 450), NONE);
});
events.run();

const hints = suite("driver: thrashing hints");
hints("a page that does not thrash has none", () => {
  assert.equal(new Ping().fault(CPU, 0), NONE);
});
hints("2: without an event within the lapse there is none", () => {
  assert.equal(thrashing().fault(GPU, 901), NONE);
});
hints("1, 3, 7: who comes first in a period is exempt, others wait for its end of 500 µs", () => {
  const ping = thrashing();
  assert.equal(ping.fault(GPU, 500), NONE);
  ping.move(GPU, 500);
  assert.equal(ping.fault(CPU, 600), throttle(1000));
  assert.equal(ping.fault(CPU, 999), throttle(1000));
  // The next period: the CPU comes first, and the device waits.
  assert.equal(ping.fault(CPU, 1000), NONE);
  ping.move(CPU, 1000);
  assert.equal(ping.fault(GPU, 1100), throttle(1500));
});
hints("3: who was exempt in the last period is not in the next", () => {
  const ping = thrashing();
  assert.equal(ping.fault(GPU, 500), NONE);
  ping.move(GPU, 900);
  assert.equal(ping.fault(GPU, 1000), throttle(1500));
});
hints("4: a preferred location that all can map is where the page is pinned", () => {
  const ping = thrashing();
  assert.equal(ping.fault(GPU, 450, { preferred: CPU, nearest: CPU }), pin(CPU));
  const away = thrashing();
  assert.equal(
    away.fault(GPU, 450, { preferred: GPU, nearest: CPU }),
    NONE,
    "the CPU cannot map the device's",
  );
});
hints("5: a fast link with native atomics pins the page at the nearest copy", () => {
  const fast: Topology = { ...MUTUAL, atomics: [3, 3], fast: [2, 1] };
  assert.equal(thrashing(fast).fault(GPU, 450, { preferred: NOWHERE, nearest: CPU }), pin(CPU));
  const slow: Topology = { ...MUTUAL, fast: [2, 1] };
  assert.equal(thrashing(slow).fault(GPU, 450, { preferred: NOWHERE, nearest: CPU }), NONE);
});

/**
 * Processors take the page from each other as soon as they may, until it is pinned. Returns when and where.
 */
function untilPinned(ping: Ping): { us: number; where: number; throttles: number } {
  let us = 400;
  let throttles = 0;
  for (let turn = 1; ; turn++) {
    const processor = turn % 2 === 1 ? GPU : CPU;
    us += 100;
    let hint = ping.fault(processor, us);
    if (hint.kind === "throttle") {
      throttles++;
      us = hint.until / US;
      hint = ping.fault(processor, us);
    }
    if (hint.kind === "pin") return { us, where: hint.where, throttles };
    assert.equal(hint, NONE);
    ping.move(processor, us);
  }
}

hints("8: after ten throttles the page is pinned at the requester", () => {
  // 500: the device is exempt to 1000. 600: the CPU waits to 1000, and is exempt to 1500; and so on: each
  // wait ends a period of 500 µs, and the tenth ends at 500 + 10 × 500.
  const ping = thrashing();
  const pinned = untilPinned(ping);
  assert.equal(pinned, { us: 5500, where: GPU, throttles: 10 });
});
hints("6: pinned on a device that the CPU cannot map, the page ends in RAM, and the device maps it", () => {
  const ping = thrashing();
  const { us } = untilPinned(ping);
  assert.equal(ping.fault(CPU, us + 100), throttle(us + 500), "the CPU cannot map the device's copy");
  assert.equal(ping.fault(CPU, us + 500), pin(CPU), "exempt: at the location that all can map");
  assert.equal(ping.fault(GPU, us + 1000), pin(CPU));
  assert.is(ping.thrashing.sharers(ping.block, PAGE), 0b11);
});
hints("6: who can map the pinned copy does so, in a period that begins or after it", () => {
  const ping = thrashing(MUTUAL);
  const { us } = untilPinned(ping);
  assert.equal(ping.fault(CPU, us + 500), pin(CPU), "a new period: the exempt requester, whom all can map");
  assert.equal(ping.fault(CPU, us + 1000), pin(CPU), "exempt last time, but it can map the copy");
});
hints("a pin ends after 150 ms, and its page is reset", () => {
  const ping = thrashing();
  const { us } = untilPinned(ping);
  const ended: number[] = [];
  const expire = (at: number): void =>
    ping.thrashing.expire(at * US, (block, page) => ended.push(block.block, page));
  expire(us + 149_999);
  assert.equal(ended, []);
  assert.is(ping.thrashing.sharers(ping.block, PAGE), 0b11);
  expire(us + 150_000);
  assert.equal(ended, [0, PAGE]);
  assert.is(ping.thrashes, false);
  assert.is(ping.thrashing.sharers(ping.block, PAGE), 0);
});
hints.run();
