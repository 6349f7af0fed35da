// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// What an operation asks TypeScript to do when it answers REQUEST. The header's request block has the rest.

/** HDR_REQ_KIND: tell the subscribers of mm that [start, end) is about to change. */
export const REQUEST_INVALIDATE = 1;
/** HDR_REQ_KIND: have the devmem's driver bring a page back that a CPU, or another device, touched. */
export const REQUEST_DEVICE_FAULT = 2;

/** What an operation returns when it needs the outside: serve the request block, then resume(). */
export const REQUEST = 0x7fffffff;
