const DIGIT_0 = 48;
const LETTER_A = 97;

/** The digit that a lowercase hexadecimal character stands for. */
const digit = (character: number): number =>
  character < LETTER_A ? character - DIGIT_0 : character - LETTER_A + 10;

/** @internal The bytes of a module that is embedded in the package as hexadecimal text. */
export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = digit(text.charCodeAt(2 * i)) * 16 + digit(text.charCodeAt(2 * i + 1));
  return bytes;
}
