// The module's linear memory. It is laid out once; only graphs make it larger.
//
//  0x0400         0x0c00       0x2000       0x10000        0x90000       0x110000      0x1d0000     0x1d8000
//  ┌─────────────┬────────────┬────────────┬──────────────┬─────────────┬─────────────┬────────────┬────────
//  │ description │ nest       │ generators │ records      │ offsets     │ zipf's table│ its spans  │ a graph
//  │ f64 × 256   │ (nest.ts)  │ u64 × …    │ 16 B × 32,768│ f64 × 65,536│ 12 B ×65,536│ 16 B ×2,048│
//  └─────────────┴────────────┴────────────┴──────────────┴─────────────┴─────────────┴────────────┴────────
//
// TypeScript writes a description (of a loop nest, a distribution or a graph) and offsets; it reads records.

/** Where TypeScript describes what comes next: 256 numbers. */
export const DESCRIPTION: usize = 0x400;
/** The state of the loop nest. */
export const NEST: usize = 0xc00;
/** Words that the generators keep between calls. */
const STATE: usize = 0x2000;
/** The first record. */
export const RECORDS: usize = 0x10000;
/** Records that fit. */
export const RECORDS_MAX: u32 = 32768;
/** Byte offsets that a loop nest gathers by. */
export const OFFSETS: usize = RECORDS + 16 * <usize>RECORDS_MAX;
/** Offsets that fit. */
export const OFFSETS_MAX: u32 = 65536;
/** The table of ranks (zipf.ts). */
export const ZIPF: usize = OFFSETS + 8 * <usize>OFFSETS_MAX;
/** Entries of that table. */
export const ZIPF_ENTRIES: u32 = 4096;
/** The spans of ranks that share an entry. */
export const SPANS: usize = ZIPF + 12 * <usize>ZIPF_ENTRIES;
/** Spans that fit: 2^47 ranks have 1,611. */
export const SPANS_MAX: u32 = 2048;
/** The arrays of a graph (graph.ts). */
export const GRAPH: usize = SPANS + 16 * <usize>SPANS_MAX;

/** The words of STATE. */
export const RANDOM_STATE: u32 = 0;
export const ZIPF_STATE: u32 = 8;
export const GRAPH_STATE: u32 = 32;

/** The i-th number of the description, which is a whole number. */
@inline
export function described(i: u32): u64 {
  return <u64>load<f64>(DESCRIPTION + ((<usize>i) << 3));
}

/** The i-th number of the description. */
@inline
export function describedF64(i: u32): f64 {
  return load<f64>(DESCRIPTION + ((<usize>i) << 3));
}

/** The i-th word of the generators' state. */
@inline
export function state(i: u32): u64 {
  return load<u64>(STATE + ((<usize>i) << 3));
}

/** Sets the i-th word of the generators' state. */
@inline
export function setState(i: u32, value: u64): void {
  store<u64>(STATE + ((<usize>i) << 3), value);
}

/** The i-th word of the generators' state as a real number. */
@inline
export function stateF64(i: u32): f64 {
  return load<f64>(STATE + ((<usize>i) << 3));
}

/** Sets the i-th word of the generators' state to a real number. */
@inline
export function setStateF64(i: u32, value: f64): void {
  store<f64>(STATE + ((<usize>i) << 3), value);
}
