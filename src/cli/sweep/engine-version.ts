/** Which engine a job's figures are of. */
import digest from "#engine";

/** Digits of the digest that a version has: enough that no two builds have the same by chance. */
const DIGITS = 12;

/**
 * Returns the version of this build: that of the package, and after a + a digest of the code that decides a
 * job's figures. An engine that was built of other code does jobs again.
 */
export const engineVersion = (version: string): string => `${version}+${digest.slice(0, DIGITS)}`;

/** Returns the package's version, of an engine's. */
export const packageVersion = (engine: string): string => engine.replace(/\+.*$/, "");
