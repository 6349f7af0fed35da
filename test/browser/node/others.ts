/** The rest of Node's modules that test files import: node:os, node:url, node:zlib and node:crypto. */
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Buffer } from "buffer";
import { gunzipSync as gunzip, gzipSync as gzip } from "fflate";

export const tmpdir = (): string => "/tmp";
export const fileURLToPath = (url: string | URL): string => decodeURIComponent(new URL(url).pathname);
export const gunzipSync = (bytes: Uint8Array): Buffer => Buffer.from(gunzip(bytes));
export const gzipSync = (data: string | Uint8Array): Buffer =>
  Buffer.from(gzip(typeof data === "string" ? utf8ToBytes(data) : data));

/** A digest. Throws RangeError for another algorithm than sha256. */
export function createHash(algorithm: string): {
  update(content: string | Uint8Array): unknown;
  digest(as: "hex"): string;
} {
  if (algorithm !== "sha256") throw new RangeError(`createHash: ${algorithm}: expected sha256`);
  const hash = sha256.create();
  const made = {
    update(content: string | Uint8Array) {
      hash.update(typeof content === "string" ? utf8ToBytes(content) : content);
      return made;
    },
    digest: () => bytesToHex(hash.digest()),
  };
  return made;
}
