import { HMM_PFN_ERROR, hmmPfnToMapOrder, hmmPfnToPage, hmmPfnValid, hmmPfnWritable } from "../index.ts";
import type { DmirrorDevice } from "./device.ts";
import {
  DMIRROR_PROT_DEV_COHERENT_LOCAL,
  DMIRROR_PROT_DEV_COHERENT_REMOTE,
  DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  DMIRROR_PROT_DEV_PRIVATE_REMOTE,
  DMIRROR_PROT_ERROR,
  DMIRROR_PROT_NONE,
  DMIRROR_PROT_PMD,
  DMIRROR_PROT_READ,
  DMIRROR_PROT_WRITE,
  DMIRROR_PROT_ZERO,
} from "./prot.ts";

const PMD_ORDER = 9;

/** Returns the DMIRROR_PROT_* byte of an hmm_pfn word, as `device` sees the page. */
export function protectionOf({ hmm, devmem }: DmirrorDevice, pfn: number): number {
  if ((pfn & HMM_PFN_ERROR) !== 0) return DMIRROR_PROT_ERROR;
  if (!hmmPfnValid(pfn)) return DMIRROR_PROT_NONE;
  const page = hmmPfnToPage(pfn);
  let byte = hmmPfnWritable(pfn) ? DMIRROR_PROT_WRITE : DMIRROR_PROT_READ;
  if (hmmPfnToMapOrder(pfn) === PMD_ORDER) byte |= DMIRROR_PROT_PMD;
  if (page === hmm.zeroPage) return byte | DMIRROR_PROT_ZERO;
  const home = hmm.pageDevmem(page);
  if (home === null) return byte;
  if (home.coherent)
    return byte | (home === devmem ? DMIRROR_PROT_DEV_COHERENT_LOCAL : DMIRROR_PROT_DEV_COHERENT_REMOTE);
  return byte | (home === devmem ? DMIRROR_PROT_DEV_PRIVATE_LOCAL : DMIRROR_PROT_DEV_PRIVATE_REMOTE);
}
