/** FNV-1a over words: a hash that is the same wherever it is computed. */
export class Fnv {
  value = 0x811c9dc5;

  add(words: Uint32Array): void {
    let hash = this.value;
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
    this.value = hash >>> 0;
  }
}
