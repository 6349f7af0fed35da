/** What the drivers of the reference model choose. */
import { HUGE_PAGES } from "./page.ts";

/** The choices of a device's driver. */
export interface DriverRules {
  /** Pages that the driver faults in or migrates at a time; with `migratePiece`, so many are migrated. */
  piece: number;
  migratePiece?: number;
  /** Whether what a migration makes of holes is entered in the device table to read only. */
  holesReadOnly?: boolean;
  /** Number of pages, aligned to this number, that come back together when the CPU touches one. */
  cluster: number;
  /**
   * true: an invalidation drops exactly its range, unless this file's own migration caused it. false, like
   * the records' driver: an invalidation drops one page more, and nothing if this device's migration caused
   * it; entries of pages that come back are dropped at the faulting address, in the table of the file that
   * migrated them.
   */
  exact: boolean;
  /** Whether closing a device file brings all pages of its device back. */
  evictOnClose: boolean;
  /** Whether huge pages move as one. */
  compound: boolean;
  /**
   * Whether huge pages move to huge pages of RAM and of the device while there are any, else to single pages.
   */
  largeRam: boolean;
  largeDevice: boolean;
  /** Whether pages are evicted one at a time, in order of arrival, instead of all at once. */
  evictSingly: boolean;
}

/** The driver of the records of 6.12. */
export const RECORDS_DRIVER: DriverRules = {
  piece: 64,
  cluster: 1,
  exact: false,
  evictOnClose: true,
  evictSingly: false,
  compound: false,
  largeRam: false,
  largeDevice: false,
};

/** The driver of the records of 7.3. */
export const RECORDS_DRIVER_7_3: DriverRules = {
  ...RECORDS_DRIVER,
  piece: 32,
  migratePiece: HUGE_PAGES,
  holesReadOnly: true,
  compound: true,
  largeRam: true,
  largeDevice: true,
};
