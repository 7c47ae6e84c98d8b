import { assert } from '../../base/assert.ts'
import { ByteReader, ByteWriter } from '../../base/bytes.ts'
import { MillraceError } from '../../base/faults.ts'
import type { EventColumns, KernelEvent } from '../event-columns.ts'
import { type Paging, standardPaging, type ViewProgram } from '../program.ts'
import { addRange } from '../read.ts'
import { type Channels, channelsOf } from './channels.ts'
import { PageCache } from './page-cache.ts'
import { hashPlace, levelOf, nameOfRecord } from './place.ts'
import {
  decodePartial,
  decodeRecord,
  encodeRecord,
  nodePartialBytesMax,
  referencePartialBytesMax,
  versionOf,
} from './record-codec.ts'
import { notDecoded, type Span } from './span.ts'

/** Where the records of one key are, by `nameOfRecord`, and what keeps those in memory that were read. */
export type PageSource = {
  get(name: Uint8Array): Uint8Array | undefined
  readonly cache: PageCache
}

/** For states that no store has: nothing is ever let go. */
export function pagesInMemory(): PageSource {
  return { get: () => undefined, cache: new PageCache(0) }
}

/** Of one channel: by number of the mark, the partial of what lies from there up to `to`. */
type Marks = { readonly to: number; readonly partials: unknown[]; broken: boolean }

/** A record to be written under its name; null: to be deleted. */
export type PageChange = readonly [name: Uint8Array, bytes: Uint8Array | null]

/**
 * The contents of one key's spans: brings them from the store, keeps those that changed until it has them, and computes
 * their partial aggregates.
 */
export class SpanStore {
  readonly program: ViewProgram
  readonly channels: Channels
  readonly #pages: PageSource
  readonly #paging: Paging
  /** By name as latin1. */
  #changes = new Map<string, PageChange>()
  /** By list of spans. */
  readonly #marks = new WeakMap<readonly Span[], Marks[]>()
  /** Spans whose record is in `#changes`, or was taken and may not be in the store yet. */
  #made: Span[] = []

  constructor(program: ViewProgram, pages: PageSource) {
    this.program = program
    this.channels = channelsOf(program)
    this.#pages = pages
    this.#paging = program.paging ?? standardPaging
  }

  levelOf(event: KernelEvent, ordinal: number): number {
    return levelOf(hashPlace(event, ordinal, this.program.keepsTies), this.#paging)
  }

  eventsOf(span: Span): EventColumns {
    if (span.events === null) this.#load(span)
    else this.#pages.cache.touch(span)
    return span.events!
  }

  childrenOf(span: Span): Span[] {
    if (span.children === null) this.#load(span)
    else this.#pages.cache.touch(span)
    return span.children!
  }

  /** Brings the content, which the caller is about to change: from now on it stays. Call from the top down. */
  change(span: Span): void {
    if (span.events === null && span.children === null) this.#load(span)
    this.#pages.cache.remove(span)
    if (!span.changed) this.#pages.cache.changed += 1
    if (span.children !== null) this.forgetMarks(span.children)
    span.changed = true
    span.partials = null
    span.encoded = null
  }

  /** The records of a span, and of what is below it, are to be deleted. Pages are not read for that. */
  forget(span: Span): void {
    if (span.level > 1) for (const child of this.childrenOf(span)) this.forget(child)
    this.forgetRecord(span)
  }

  forgetRecord(span: Span): void {
    this.#pages.cache.remove(span)
    if (span.stored) this.#put(nameOfRecord(span.opener, span.level, this.program), null)
  }

  /** By channel: what was merged of this list before. */
  marksOf(spans: readonly Span[]): Marks[] {
    let marks = this.#marks.get(spans)
    if (marks === undefined) this.#marks.set(spans, (marks = []))
    return marks
  }

  /** The list, or something in it, changes. */
  forgetMarks(spans: readonly Span[]): void {
    this.#marks.delete(spans)
  }

  /** The partial of one channel; undefined where it is too large to be kept, and the reader has to descend. */
  partialOf(span: Span, channel: number): unknown {
    if (span.encoded === null) this.#summarise(span)
    const partials = (span.partials ??= this.channels.list.map(() => notDecoded))
    if (partials[channel] === notDecoded) partials[channel] = decodePartial(this.program, span.encoded!, channel)
    const found = partials[channel]
    if (found !== undefined || span.level === 1 || span.children !== null) return found
    // It may be in the node's own record.
    this.childrenOf(span)
    return partials[channel]
  }

  /** Makes the records of what changed in these spans and below: afterwards they have their versions. */
  commit(spans: readonly Span[]): void {
    for (const span of spans) {
      if (!span.changed) continue
      if (span.children !== null) this.commit(span.children)
      if (span.encoded === null) this.#summarise(span)
      const bytes = encodeRecord(this.program, span)
      span.version = versionOf(bytes)
      span.changed = false
      span.stored = true
      span.cost = this.#costOf(span, bytes.length)
      this.#put(nameOfRecord(span.opener, span.level, this.program), bytes)
      this.#made.push(span)
    }
  }

  /** The records that `commit` and `forget` made since the last call. */
  takeChanges(): PageChange[] {
    const changes = [...this.#changes.values()]
    this.#changes = new Map()
    return changes
  }

  /** The store has all that was taken: contents that did not change since may go. */
  release(): void {
    if (this.#changes.size > 0) return
    for (const span of this.#made) if (!span.changed) this.#pages.cache.add(span)
    this.#made = []
  }

  #put(name: Uint8Array, bytes: Uint8Array | null): void {
    this.#changes.set(Buffer.from(name).toString('latin1'), [name, bytes])
  }

  #load(span: Span): void {
    assert(!span.changed && span.stored, 'what changed stays in memory')
    const name = nameOfRecord(span.opener, span.level, this.program)
    const bytes = this.#pages.get(name)
    const found = bytes === undefined ? null : versionOf(bytes)
    if (bytes === undefined || found !== span.version) {
      const what = found === null ? 'missing' : `of version ${found}`
      const page = Buffer.from(name).toString('hex')
      throw new MillraceError('STATE_PAGE_DAMAGED', { page, what, expected: span.version })
    }
    decodeRecord(this.program, new ByteReader(bytes), span)
    span.cost = this.#costOf(span, bytes.length)
    this.#pages.cache.add(span)
  }

  #summarise(span: Span): void {
    const large: number[] = []
    const encoded = new ByteWriter()
    span.partials = this.channels.list.map(({ aggregation }, channel) => {
      const partial = span.level === 1 ? this.#fold(span, channel) : this.#merge(span.children!, channel)
      measure.reset()
      if (partial !== undefined) aggregation.encode(partial, measure)
      const { size } = measure
      const fits = size <= referencePartialBytesMax
      encoded.bytes(fits ? measure.finish() : none)
      if (fits) return partial
      if (span.level === 1 || size > nodePartialBytesMax) return undefined
      large.push(channel)
      return partial
    })
    span.large = large
    span.encoded = encoded.finish()
  }

  #fold(page: Span, channel: number): unknown {
    const aggregate = this.channels.list[channel]!
    const events = this.eventsOf(page)
    return addRange(aggregate, aggregate.aggregation.zero(), events, { low: 0, high: events.ts.length })
  }

  /** Undefined when that of a child is: whether it is kept must follow from the events alone. */
  #merge(children: readonly Span[], channel: number): unknown {
    const { aggregation } = this.channels.list[channel]!
    let merged = aggregation.zero()
    for (const child of children) {
      const partial = this.partialOf(child, channel) ?? (child.level === 1 ? this.#fold(child, channel) : undefined)
      if (partial === undefined) return undefined
      merged = aggregation.merge(merged, partial)
    }
    return merged
  }

  /** Arrays of doubles and pointers; objects for partial aggregates, of children and of marks. */
  #costOf(span: Span, recordBytes: number): number {
    const { columns } = this.program
    if (span.level === 1) return 600 + 2 * recordBytes + 8 * span.count * (columns.length + 2)
    return 400 + 10 * recordBytes + span.children!.length * (300 + 100 * this.channels.list.length)
  }
}

const measure = new ByteWriter(2048)
const none = new Uint8Array(0)
