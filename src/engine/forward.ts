/**
 * Forward declarations of classes, like C's `struct mm_struct;`: a lower layer names them, an upper layer
 * defines them.
 *
 * A mapping knows its address space and an address space knows its engine, so three public properties lead
 * upward: `vma.mm`, `mm.hmm` and `devmem.hmm`. Their types are looked up here. The file that defines such a
 * class adds it to this interface with `declare module`, so that every import still points down.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the layers above complete it
export interface Forward {}
