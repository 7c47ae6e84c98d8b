import { crc32 } from 'node:zlib'
import { murmur2 } from '../../base/murmur2.ts'

/**
 * A sum over all entries of a store that does not depend on their order: equal stores have equal sums, and what is
 * changed is added and taken away without looking at the rest.
 */
export class Digest {
  #low: number
  #high: number
  count: number

  constructor({ digest, entries }: { readonly digest: string; readonly entries: number } = emptyDigest) {
    this.#high = Number.parseInt(digest.slice(0, 8), 16)
    this.#low = Number.parseInt(digest.slice(8), 16)
    this.count = entries
  }

  /** An entry is changed: from nothing, to nothing, or from one value to another. */
  change(key: Uint8Array, before: Uint8Array | undefined, after: Uint8Array | null): void {
    if (before !== undefined) this.#add(key, before, -1)
    if (after !== null) this.#add(key, after, 1)
  }

  get value(): { readonly digest: string; readonly entries: number } {
    const hex = (half: number): string => half.toString(16).padStart(8, '0')
    return { digest: hex(this.#high) + hex(this.#low), entries: this.count }
  }

  #add(key: Uint8Array, value: Uint8Array, sign: 1 | -1): void {
    const name = murmur2(key)
    const low = mix(Math.imul(name, 0x9e37_79b1) ^ murmur2(value))
    const high = mix(crc32(value, name >>> 0) ^ Math.imul(value.length + 1, 0x85eb_ca6b))
    this.#low = (this.#low + sign * low) >>> 0
    this.#high = (this.#high + sign * high) >>> 0
    this.count += sign
  }
}

export const emptyDigest: Digest['value'] = { digest: '0000000000000000', entries: 0 }

/** Spreads every bit over all others (the finish of MurmurHash3): sums of what is alike would meet otherwise. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
