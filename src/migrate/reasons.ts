import { REASON_NONE } from "../../assembly/uapi/reason.ts";

/** By REASON_*. */
const TEXTS = [
  "it migrated, or is still a candidate",
  "nothing is there, and the mapping is not anonymous",
  "this kind of page was not selected",
  "a device page of another owner",
  "swapped out, exclusive to a device, poisoned or a marker",
  "the page belongs to another open migration",
  "somebody else holds the page's lock",
  "the page is pinned",
  "the page has no mapping that could be moved (a driver inserted it)",
  "the page is isolated already",
  "the page is still mapped after every known mapping was removed",
  "the driver gave no destination",
  "file, shared and swap-cache pages cannot live in device-private memory",
  "somebody took a reference between setup and pages()",
  "nothing was there, and something is now",
  "nothing is there, and no page table is left for a new page",
  "nothing is there, and the memory cgroup is at its limit",
  "nothing is there, and no anon_vma is left for a new page",
  "the destination's order does not fit the source's",
  "part of a large folio that is mapped by single entries",
  "nothing is there, and userfaultfd has the range",
  "the page is free",
  "the driver gave MIGRATE_PFN_ERROR",
];

/** What a REASON_* means, as a phrase. */
export function explain(reason: number): string {
  return TEXTS[reason] ?? `unknown reason ${reason}`;
}

/** A page that a migration left where it was. */
export interface StayedPage {
  /** Its slot. */
  index: number;
  /** REASON_*; REASON_NONE: the migration was given up before pages(). */
  reason: number;
  /** The reason as a phrase. */
  text: string;
}

/** What became of a migration. */
export class MigrateResult {
  /** 0, or -EINVAL: nothing was done. */
  readonly ret: number;
  /** Slots. */
  readonly npages: number;
  /** Candidates that setup collected: slots, so that a huge page is one. */
  readonly cpages: number;
  /** Pages that moved; of a huge page all 512. */
  readonly moved: number;
  /** A REASON_* for each slot. */
  get reasons(): Uint8Array<ArrayBuffer> {
    return (this.#reasons ??= new Uint8Array(this.npages));
  }
  readonly #ran: boolean;
  #reasons: Uint8Array<ArrayBuffer> | null;
  #stayed: StayedPage[] | null = null;

  /** @internal reasons null: every page moved. */
  constructor(
    ret: number,
    npages: number,
    cpages: number,
    moved: number,
    reasons: Uint8Array<ArrayBuffer> | null,
    ran: boolean,
  ) {
    this.ret = ret;
    this.npages = npages;
    this.cpages = cpages;
    this.moved = moved;
    this.#reasons = reasons;
    this.#ran = ran;
  }

  /** The pages that stayed, each with its reason. */
  get stayed(): readonly StayedPage[] {
    return (this.#stayed ??= this.#collect());
  }

  #collect(): StayedPage[] {
    const stayed: StayedPage[] = [];
    this.reasons.forEach((reason, index) => {
      if (reason !== REASON_NONE) stayed.push({ index, reason, text: explain(reason) });
      else if (!this.#ran) stayed.push({ index, reason, text: "the migration was given up before pages()" });
    });
    return stayed;
  }
}
