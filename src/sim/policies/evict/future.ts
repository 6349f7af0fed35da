/** The accesses that a policy will see: what OPT looks ahead in. */
export interface Future {
  /** The unit of each access; accesses to one unit that follow each other are one. */
  unitAt(position: number): number;
  /** The position of the next access to the same unit; Infinity if there is none. */
  nextAt(position: number): number;
}
