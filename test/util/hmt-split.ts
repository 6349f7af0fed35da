/** Codec 2 of .hmt blocks (docs/hmt.md): a payload in two frames, without and with most of its literals. */
import { decompress } from "fzstd";
import { zstdFrame } from "./hmt-bytes.ts";
import { Reader } from "./hmt-reader.ts";

/** The parts of a payload up to its literals: how long it is, and the lengths of the literals. */
function layoutOf(reader: Reader): { before: number; lengths: number[]; literals: number } {
  const [sites, events, tokens, runs, named, literals] = Array.from({ length: 6 }, () => reader.u32());
  reader.column(8 * sites);
  reader.column(24 * events);
  const forms = [...reader.column(tokens).bytes];
  reader.column(runs);
  reader.column(named * (sites > 256 ? 2 : 1));
  const lengths = forms.map((form) => (form < 128 && form % 8 !== 7 ? form % 8 : 0)).filter((n) => n > 0);
  return { before: reader.at, lengths, literals };
}

/** Returns the payload of a block in codec 2, whose bytes these are; `plain` is its length. */
export function joinSplit(bytes: Uint8Array, plain: number, offset: number): Uint8Array {
  const header = new Reader(bytes, offset);
  const [frontLength, second] = [header.u32(), header.u32()];
  const [packed, areNoise] = [second % 2 ** 31, second >= 2 ** 31];
  const [first, rest] = [header.column(packed).bytes, header.column(header.left).bytes];
  const unpack = (frame: Uint8Array): Uint8Array => {
    try {
      return decompress(frame);
    } catch {
      return header.fail("a part is no zstd frame");
    }
  };
  const [front, tails] = [unpack(first), areNoise ? rest : unpack(rest)];
  if (front.length !== frontLength || front.length + tails.length !== plain || tails.length === 0)
    header.fail("the parts have other lengths than they say");
  const { before, lengths, literals } = layoutOf(new Reader(front, offset));
  if (tails.length === literals)
    return Uint8Array.from([...front.subarray(0, before), ...tails, ...front.subarray(before)]);
  if (lengths.reduce((sum, n) => sum + n, 0) !== literals) header.fail("the literals have other lengths");
  const [heads, others] = [new Reader(front, offset), new Reader(tails, offset)];
  heads.column(before);
  const joined = lengths.flatMap((n) => [...others.column(n - 1).bytes, heads.u8()]);
  others.end("tails");
  return Uint8Array.from([...front.subarray(0, before), ...joined, ...heads.column(heads.left).bytes]);
}

/**
 * Returns the bytes of a block in codec 2 with this payload. The tails are packed, or stored as they are, and
 * have `whole` literals or not.
 */
export function splitPayload(payload: Uint8Array, areNoise = false, whole = false): Uint8Array {
  const { before, lengths, literals } = layoutOf(new Reader(payload, 0));
  const after = before + literals;
  if (whole)
    return partsOf(
      Uint8Array.from([...payload.subarray(0, before), ...payload.subarray(after)]),
      payload.subarray(before, after),
      areNoise,
    );
  const heads: number[] = [];
  const tails: number[] = [];
  let at = before;
  for (const length of lengths) {
    tails.push(...payload.subarray(at, at + length - 1));
    heads.push(payload[at + length - 1]);
    at += length;
  }
  const rest = payload.subarray(after);
  return partsOf(
    Uint8Array.from([...payload.subarray(0, before), ...heads, ...rest]),
    Uint8Array.from(tails),
    areNoise,
  );
}

/** Returns the bytes of a block in codec 2 with these parts, right or wrong. */
export function partsOf(front: Uint8Array, tails: Uint8Array, areNoise = false): Uint8Array {
  const [first, rest] = [zstdFrame(front), areNoise ? tails : zstdFrame(tails)];
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, front.length, true);
  new DataView(header.buffer).setUint32(4, first.length + (areNoise ? 2 ** 31 : 0), true);
  return Uint8Array.from([...header, ...first, ...rest]);
}
