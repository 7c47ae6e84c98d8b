import type { PageCache } from '../../../src/kernel/paged/page-cache.ts'
import type { PagedEvents } from '../../../src/kernel/paged/paged-events.ts'
import type { PageSource } from '../../../src/kernel/paged/span-store.ts'

/** The records of one key, in memory. */
export class PageMap implements PageSource {
  readonly cache: PageCache
  readonly records = new Map<string, Uint8Array>()
  loads = 0

  constructor(cache: PageCache) {
    this.cache = cache
  }

  get(name: Uint8Array): Uint8Array | undefined {
    this.loads += 1
    return this.records.get(Buffer.from(name).toString('hex'))
  }

  /** What changed is written, as with a checkpoint. */
  take(paged: PagedEvents): void {
    for (const [name, bytes] of paged.takeChanges()) this.put(name, bytes)
    paged.release()
  }

  put(name: Uint8Array, bytes: Uint8Array | null): void {
    const text = Buffer.from(name).toString('hex')
    if (bytes === null) this.records.delete(text)
    else this.records.set(text, bytes)
  }

  /** How many records there are of levels that are asked for. */
  recordsOf(asked: (level: number) => boolean): number {
    return [...this.records.keys()].filter((name) => asked(Buffer.from(name, 'hex').at(-1)!)).length
  }

  asText(): Record<string, string> {
    const names = [...this.records.keys()].sort()
    return Object.fromEntries(names.map((name) => [name, Buffer.from(this.records.get(name)!).toString('hex')]))
  }
}
