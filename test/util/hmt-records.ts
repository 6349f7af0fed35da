/** The records blocks of .hmt traces (docs/hmt.md), decoded step by step as the document says. */
import type { Reader } from "./hmt-reader.ts";

export const RECORDS_MAX = 65536;
const TOP = 2 ** 48;

const FORM = { LENGTH: 7, PREVIOUS: 8, SET: 16, SCALED: 32, NAMED: 64, PREDICTED: 128 } as const;
const FORM_EVENT = 7;

export interface HmtRecord {
  address: number;
  size: number;
  kind: number;
  agent: number;
  thread: number;
  /** The code address; of an event, its place in the block's events. */
  code: number;
}

export interface HmtEvent {
  kind: number;
  advice: number;
  device: number;
  name: number;
  address: number;
  bytes: number;
}

interface Site {
  size: number;
  kind: number;
  agent: number;
  code: number;
  next: number;
  last: number;
  delta: number;
  previous: boolean;
}

function readSites(payload: Reader, count: number): Site[] {
  return Array.from({ length: count }, (_, i) => {
    const [size, kind, agent, code] = [payload.u16(), payload.u8(), payload.u8(), payload.u32()];
    if (size === 0 || kind >= 16) payload.fail(`site ${i} has size ${size} and kind ${kind}`);
    return { size, kind, agent, code, next: (i + 1) % count, last: 0, delta: 0, previous: false };
  });
}

function readEvents(payload: Reader, count: number): HmtEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const event = {
      kind: payload.u8(),
      advice: payload.u8(),
      device: payload.u16(),
      name: payload.u32(),
      address: payload.address(),
      bytes: payload.u64(),
    };
    if (event.kind < 16) payload.fail(`event ${i} has kind ${event.kind}`);
    return event;
  });
}

const wrap = (address: number): number => ((address % TOP) + TOP) % TOP;

/** A block while it is read. */
class Block {
  readonly records: HmtRecord[] = [];
  readonly sites: Site[];
  readonly events: HmtEvent[];
  readonly forms: Reader;
  readonly #payload: Reader;
  readonly #thread: number;
  readonly #count: number;
  readonly #runs: Reader;
  readonly #named: Reader;
  readonly #literals: Reader;
  #seen = 0; // events
  #current: Site | null = null;
  #previous = 0;

  constructor(payload: Reader, thread: number, count: number) {
    const [sites, events, tokens] = [payload.u32(), payload.u32(), payload.u32()];
    const [runs, named, literals] = [payload.u32(), payload.u32(), payload.u32()];
    if (sites > RECORDS_MAX || events > count) payload.fail("more sites or events than a block can have");
    this.#payload = payload;
    this.#thread = thread;
    this.#count = count;
    this.sites = readSites(payload, sites);
    this.events = readEvents(payload, events);
    this.forms = payload.column(tokens);
    this.#runs = payload.column(runs);
    this.#named = payload.column(named * (sites > 256 ? 2 : 1));
    this.#literals = payload.column(literals);
    payload.end("payload");
  }

  get #expected(): Site {
    return this.sites[this.#current?.next ?? 0];
  }

  #predicted(site: Site): number {
    return wrap((site.previous ? this.#previous : site.last) + site.delta);
  }

  #push(record: HmtRecord): void {
    if (this.records.length === this.#count)
      this.#payload.fail(`more than the ${this.#count} records that the block says`);
    this.records.push(record);
  }

  #access(site: Site, address: number): void {
    const { size, kind, agent, code } = site;
    this.#push({ address, size, kind, agent, thread: this.#thread, code });
    site.last = this.#previous = address;
    this.#current = site;
  }

  #hits(n: number): void {
    if (n > 0 && this.sites.length === 0) this.#payload.fail("accesses without a site");
    for (let i = 0; i < n; i++) this.#access(this.#expected, this.#predicted(this.#expected));
  }

  #event(): void {
    if (this.#seen === this.events.length) this.#payload.fail("more events than the block has");
    const { kind, device, address } = this.events[this.#seen];
    this.#push({ address, size: device, kind, agent: 0, thread: this.#thread, code: this.#seen++ });
  }

  #site(named: boolean): Site {
    let site: Site | undefined = this.#expected;
    if (named) {
      const index = this.sites.length > 256 ? this.#named.u16() : this.#named.u8();
      site = this.sites[index];
      if (site !== undefined && this.#current !== null) this.#current.next = index;
    }
    return site ?? this.#payload.fail("an access of a site that the block does not have");
  }

  /** A token: the accesses before it that were expected, then what its form stands for. */
  token(form: number): void {
    this.#hits(this.#runs.varint());
    if (form === FORM_EVENT) return this.#event();
    const site = this.#site((form & FORM.NAMED) !== 0);
    if (form & FORM.PREDICTED) {
      if (form !== (FORM.PREDICTED | FORM.NAMED)) this.#payload.fail(`form ${form} is not defined`);
      return this.#access(site, this.#predicted(site));
    }
    const length = form & FORM.LENGTH;
    if (length === 7) this.#payload.fail(`form ${form} is not defined`);
    const scale = form & FORM.SCALED ? site.size & -site.size : 1;
    const delta = wrap(this.#literals.signed(length) * scale);
    const base = form & FORM.PREVIOUS ? this.#previous : site.last;
    if (form & FORM.SET) {
      site.delta = delta;
      site.previous = (form & FORM.PREVIOUS) !== 0;
    }
    this.#access(site, wrap(base + delta));
  }

  /** After the last token: expected accesses fill the block, and all columns are used up. */
  end(): void {
    this.#hits(this.#count - this.records.length);
    this.#runs.end("runs");
    this.#named.end("names of sites");
    this.#literals.end("literals");
    if (this.#seen !== this.events.length)
      this.#payload.fail("fewer events in the records than in the block");
  }
}

/** Reads the payload of a records block with `count` records. */
export function readRecords(
  payload: Reader,
  thread: number,
  count: number,
): { records: HmtRecord[]; events: HmtEvent[] } {
  const block = new Block(payload, thread, count);
  while (block.forms.left > 0) block.token(block.forms.u8());
  block.end();
  return { records: block.records, events: block.events };
}
