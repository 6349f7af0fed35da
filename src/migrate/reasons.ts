import { REASON_NONE } from "../../assembly/uapi/reason.ts";
import type { Bytes } from "../engine/host.ts";
import type { MigrateReason, OrNumber } from "../engine/protocol.ts";

/** The phrases of the reasons, by REASON_*. */
const TEXTS = [
  "it migrated, or is still a candidate",
  "nothing is there, and the mapping is not anonymous",
  "this kind of page was not selected",
  "a device page of another owner",
  "swapped out, exclusive to a device, poisoned or a marker",
  "the page belongs to another open migration",
  "the page is locked by another user",
  "the page is pinned",
  "the page has no mapping that could be moved (a driver inserted it)",
  "the page is isolated already",
  "the page is still mapped after every known mapping was removed",
  "the driver gave no destination",
  "file, shared and swap-cache pages cannot live in device-private memory",
  "a reference was taken between setup and pages()",
  "nothing was there, and something is now",
  "nothing is there, and no page table is left for a new page",
  "nothing is there, and the memory cgroup is at its limit",
  "nothing is there, and no anon_vma is left for a new page",
  "the destination's order does not fit the source's",
  "part of a large folio that single entries map",
  "nothing is there, and userfaultfd has the range",
  "the page is free",
  "the driver gave MIGRATE_PFN_ERROR",
];

/** Returns what a REASON_* means, as a phrase. */
export function explain(reason: OrNumber<MigrateReason>): string {
  return TEXTS[reason] ?? `unknown reason ${reason}`;
}

/** A page that a migration left where it was. */
export interface StayedPage {
  /** The page's slot in src and dst. */
  index: number;
  /** REASON_*; REASON_NONE if the migration was given up before pages(). */
  reason: MigrateReason;
  /** The reason as a phrase. */
  text: string;
}

/** What became of a migration. */
export class MigrateResult {
  /** 0, or -EINVAL if nothing was done. */
  readonly ret: number;
  /** How many slots src and dst have. */
  readonly npages: number;
  /** How many candidates setup collected: slots, so that a huge page counts as one. */
  readonly cpages: number;
  /** How many pages moved; a huge page counts as 512. */
  readonly moved: number;
  readonly #ran: boolean;
  #reasons: Bytes | null;
  #stayed: StayedPage[] | null = null;

  private constructor(
    ret: number,
    npages: number,
    cpages: number,
    moved: number,
    reasons: Bytes | null,
    ran: boolean,
  ) {
    this.ret = ret;
    this.npages = npages;
    this.cpages = cpages;
    this.moved = moved;
    this.#reasons = reasons;
    this.#ran = ran;
  }

  /** @internal A result; `reasons` null: every page moved; `ran`: pages() was called. */
  static of(
    ret: number,
    npages: number,
    cpages: number,
    moved: number,
    reasons: Bytes | null,
    ran: boolean,
  ): MigrateResult {
    return new MigrateResult(ret, npages, cpages, moved, reasons, ran);
  }

  /** A REASON_* for each slot; 0: the page moved. */
  get reasons(): Bytes {
    return (this.#reasons ??= new Uint8Array(this.npages));
  }

  /** The pages that stayed, each with its reason. */
  get stayed(): readonly StayedPage[] {
    return (this.#stayed ??= this.#collect());
  }

  #collect(): StayedPage[] {
    const stayed: StayedPage[] = [];
    this.reasons.forEach((reason, index) => {
      if (reason !== REASON_NONE)
        stayed.push({ index, reason: reason as MigrateReason, text: explain(reason) });
      else if (!this.#ran)
        stayed.push({ index, reason: REASON_NONE, text: "the migration was given up before pages()" });
    });
    return stayed;
  }
}
