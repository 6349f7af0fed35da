// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// What an operation asks TypeScript to do when it answers REQUEST. The header's request block has the rest.

/** HDR_REQ_KIND: tell the subscribers of mm that [start, end) is about to change. */
export const REQUEST_INVALIDATE = 1;
/** HDR_REQ_KIND: have the devmem's driver bring a page back that a CPU, or another device, touched. */
export const REQUEST_DEVICE_FAULT = 2;
/** HDR_REQ_KIND: look at the state; HDR_REQ_EVENT is a STEP_*. Only where HDR_FLAG_STEPS is set. */
export const REQUEST_STEP = 3;

/** A step point: a migration's setup has collected the pages of its range. */
export const STEP_COLLECTED = 1;
/** A step point: no entry maps the collected pages any more; those that cannot move are still among them. */
export const STEP_UNMAPPED = 2;

/** What an operation returns when it needs the outside: serve the request block, then resume(). */
export const REQUEST = 0x7fffffff;
