/** An access as a writer of lines gets it. */

/** An access. */
export interface PlainAccess {
  /** RECORD_KIND_*. */
  kind: number;
  /** The address: its low 32 bits, and the others. */
  low: number;
  high: number;
  size: number;
  /** The low half of the instruction's address; 0: not known. */
  code: number;
  thread: number;
}

/** Writes the accesses of one trace. */
export interface AccessLines {
  /** Writes an access that the format can have; the object is used again for the next one. */
  access(access: PlainAccess): void;
  /** A kernel begins or ends here. */
  kernel?(): void;
  /** Writes what is left. */
  end?(): void;
}
