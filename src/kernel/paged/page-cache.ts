import { type Span, unload } from './span.ts'

/** Memory for pages of keys with many events, per view. */
export const pageCacheBytes: number = 32 * 1024 * 1024

/**
 * The contents of pages and nodes that the store has too: those used last, up to a number of bytes. One for many keys.
 */
export class PageCache {
  readonly #bytesMax: number
  /** Longest unused first. */
  readonly #spans = new Set<Span>()
  #bytes = 0
  /** Pages and nodes that changed, and so cannot go; whoever takes the changes sets it back. */
  changed = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Lets go of everything. */
  clear(): void {
    for (const span of this.#spans) {
      this.remove(span)
      unload(span)
    }
  }

  /** May let go of others, never of this one. */
  add(span: Span): void {
    if (this.#spans.has(span)) return
    this.#spans.add(span)
    this.#bytes += span.cost
    for (const oldest of this.#spans) {
      if (this.#bytes <= this.#bytesMax || oldest === span) return
      this.remove(oldest)
      unload(oldest)
    }
  }

  /** It is used now. */
  touch(span: Span): void {
    if (this.#spans.delete(span)) this.#spans.add(span)
  }

  /** Its content stays until somebody else lets go of it. */
  remove(span: Span): void {
    if (this.#spans.delete(span)) this.#bytes -= span.cost
  }
}
