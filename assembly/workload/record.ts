// The records that the generators make.
//
//   63      48 47                          0      63                32 31      16 15    8 7      0
//  ┌──────────┬─────────────────────────────┐    ┌────────────────────┬──────────┬───────┬────────┐
//  │   size   │           address           │    │     pc or range    │  thread  │ agent │  kind  │
//  └──────────┴─────────────────────────────┘    └────────────────────┴──────────┴───────┴────────┘

/** Writes one record; `tail` is its second word. */
@inline
export function putRecord(out: usize, address: u64, size: u64, tail: u64): void {
  store<u64>(out, address | (size << 48));
  store<u64>(out, tail, 8);
}

/** The second word of a record. */
@inline
export function tailOf(kind: u64, agent: u64, thread: u64, id: u64): u64 {
  return kind | (agent << 8) | (thread << 16) | (id << 32);
}
