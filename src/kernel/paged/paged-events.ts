import { assert } from '../../base/assert.ts'
import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { readEvents, writeEvents } from '../event-codec.ts'
import {
  dropOldest,
  eventAt,
  type EventColumns,
  insertEvent,
  type KernelEvent,
  lowerBound,
  makeEventColumns,
} from '../event-columns.ts'
import type { ViewProgram } from '../program.ts'
import { comparePlace, ordinalAt, type Place, placeOf } from './place.ts'
import { addEvents, addSpans, countBefore, isFull, newestOf, pagesFrom, type RangeReading } from './read-spans.ts'
import { readReferences, writeReferences } from './record-codec.ts'
import { makeSpan, recount, type Span } from './span.ts'
import { type PageChange, type PageSource, SpanStore } from './span-store.ts'

/**
 * The events of one key that has many: pages of them, and nodes over pages, with the partial aggregates of each.
 *
 * Where a page begins follows from the events alone (`levelOf`): one in 128 opens a page, one in 64 of those a node over
 * pages, and so on. So equal sets of events are equal pages and equal bytes, whatever their order of arrival.
 *
 * Spans between two openers of a level are records of their own. What is open at either end is kept here, in the head:
 *
 *     first events │ pages │ nodes │ … the highest … │ nodes │ pages │ newest events
 *
 * Levels rise up to the highest and fall again. Appending changes only the newest events, dropping mostly only the
 * first ones; an event in between changes its page and the few nodes above it. About 64 spans of each level stand at
 * either side.
 */
export class PagedEvents {
  readonly #store: SpanStore
  /** Before the first event that opens a page. */
  #first: EventColumns
  readonly #spans: Span[]
  /** From the last event that opens a page; null: none does. */
  #last: { readonly opener: Place; readonly events: EventColumns } | null
  #count: number

  private constructor(store: SpanStore, parts: Head) {
    this.#store = store
    this.#first = parts.first
    this.#spans = parts.spans
    this.#last = parts.last
    this.#count = parts.count
  }

  static empty(program: ViewProgram, pages: PageSource): PagedEvents {
    const first = makeEventColumns(program.columns.length, program.keepsTies)
    return new PagedEvents(new SpanStore(program, pages), { first, spans: [], last: null, count: 0 })
  }

  static from(program: ViewProgram, events: EventColumns, pages: PageSource): PagedEvents {
    const paged = PagedEvents.empty(program, pages)
    for (let index = 0; index < events.ts.length; index++) paged.insert(eventAt(events, index))
    return paged
  }

  /** How many events there are. */
  get count(): number {
    return this.#count
  }

  /** Spans whose references stand in the head. */
  get spans(): readonly Span[] {
    return this.#spans
  }

  /** Adds an event that was not added before. */
  insert(event: KernelEvent): void {
    this.#count += 1
    const spans = this.#spans
    if (this.#last !== null && this.#compare(this.#last.opener, event) <= 0) {
      const { opener, events } = this.#last
      const opened = this.#insertInto(events, event, opener.ordinal)
      if (opened === null) return
      this.#last = { opener: opened.opener, events: opened.events }
      this.#store.forgetMarks(spans)
      spans.push(makeSpan(1, opener, { events }))
      this.#raise(opened.opener)
      return
    }
    const index = this.#indexOf(spans, event)
    if (index < 0) {
      const opened = this.#insertInto(this.#first, event, 0)
      if (opened === null) return
      this.#store.forgetMarks(spans)
      if (this.#last === null) this.#last = opened
      else spans.unshift(makeSpan(1, opened.opener, { events: opened.events }))
      this.#raise(opened.opener)
      return
    }
    this.#store.forgetMarks(spans)
    const opened = this.#insertBelow(spans[index]!, event)
    if (opened === null) return
    spans.splice(index + 1, 0, opened)
    this.#raise(opened.opener)
  }

  /** Drops the events with `ts < floor`, which were read before by those who still need them. */
  dropBefore(floor: number): void {
    const spans = this.#spans
    let dropped = lowerBound(this.#first.ts, floor)
    dropOldest(this.#first, dropped)
    if (spans.length > 0 && spans[0]!.opener.ts < floor) this.#store.forgetMarks(spans)
    while (spans.length > 0 && spans[0]!.opener.ts < floor) {
      const span = spans[0]!
      if (span.newest < floor) {
        this.#store.forget(span)
        dropped += span.count
        spans.shift()
      } else if (span.level > 1) {
        const children = this.#store.childrenOf(span)
        this.#store.forgetRecord(span)
        spans.splice(0, 1, ...children)
      } else {
        const events = this.#store.eventsOf(span)
        this.#store.forgetRecord(span)
        spans.shift()
        dropped += this.#becomeFirst(events, floor)
      }
    }
    if (this.#last !== null && this.#last.opener.ts < floor) {
      dropped += this.#becomeFirst(this.#last.events, floor)
      this.#last = null
    }
    this.#count -= dropped
  }

  /** The events with `low <= ts < high`, through the filter and input of one aggregate of the program. */
  addRange(
    aggregate: number,
    partial: unknown,
    { low, high }: { readonly low: number; readonly high: number },
  ): unknown {
    const channel = this.#store.channels.ofAggregate[aggregate]!
    const program = this.#store.channels.list[channel]!
    const { aggregation } = program
    // By itself at first: `partial` may hold older events, and then be full before the newer ones are in it.
    const reading: RangeReading = { aggregate: program, channel, low, high, partial: aggregation.zero() }
    if (this.#last !== null) addEvents(reading, this.#last.events)
    addSpans(this.#store, reading, this.#spans)
    if (!isFull(reading)) addEvents(reading, this.#first)
    return aggregation.merge(partial, reading.partial)
  }

  /** Time of the newest event before `t`; -1 without one. */
  newestBefore(t: number): number {
    if (this.#last !== null && this.#last.opener.ts < t) return newestIn(this.#last.events, t)
    const found = newestOf(this.#store, this.#spans, t)
    return found >= 0 ? found : newestIn(this.#first, t)
  }

  /** How many events have `ts < t`. */
  countBefore(t: number): number {
    const ends = lowerBound(this.#first.ts, t) + (this.#last === null ? 0 : lowerBound(this.#last.events.ts, t))
    return ends + countBefore(this.#store, this.#spans, t)
  }

  /** All events in order, page by page, from the page on that holds the first with `ts >= low`. Only to be read. */
  *pages(low = 0): Generator<EventColumns> {
    if ((this.#first.ts.at(-1) ?? -1) >= low) yield this.#first
    yield* pagesFrom(this.#store, this.#spans, low)
    if (this.#last !== null) yield this.#last.events
  }

  /** The head. The records below it are in `takeChanges` afterwards. */
  encode(writer: ByteWriter): void {
    this.#store.commit(this.#spans)
    const { program } = this.#store
    writer.varint(this.#count)
    writeEvents(writer, program, this.#first)
    for (const { level } of this.#spans) writer.u8(level)
    writer.u8(0)
    writeReferences(writer, program, this.#spans)
    writer.u8(this.#last === null ? 0 : 1)
    if (this.#last === null) return
    writer.varint(this.#last.opener.ordinal)
    writeEvents(writer, program, this.#last.events)
  }

  static decode(program: ViewProgram, reader: ByteReader, pages: PageSource): PagedEvents {
    const count = reader.varint()
    const first = makeEventColumns(program.columns.length, program.keepsTies)
    readEvents(reader, program, first)
    const levels: number[] = []
    for (let level = reader.u8(); level > 0; level = reader.u8()) levels.push(level)
    const spans = readReferences(reader, program, (index) => levels[index] ?? 0)
    if (spans.length !== levels.length) throw new MalformedBytes(`${levels.length} levels of ${spans.length} spans`)
    let last: Head['last'] = null
    if (reader.u8() === 1) {
      const ordinal = reader.varint()
      const events = makeEventColumns(program.columns.length, program.keepsTies)
      readEvents(reader, program, events)
      if (events.ts.length === 0) throw new MalformedBytes('a page without events')
      last = { opener: placeOf(eventAt(events, 0), ordinal, program.keepsTies), events }
    }
    return new PagedEvents(new SpanStore(program, pages), { first, spans, last, count })
  }

  /** Records to write and to delete, together with the head, since the last call. */
  takeChanges(): PageChange[] {
    return this.#store.takeChanges()
  }

  /** The store has what was taken. */
  release(): void {
    this.#store.release()
  }

  /** Everything is to be deleted: the events go elsewhere, or nowhere. */
  forget(): void {
    for (const span of this.#spans) this.#store.forget(span)
    this.#spans.length = 0
  }

  /** What is left of a page is before the first opener now. Gives how many events were dropped. */
  #becomeFirst(events: EventColumns, floor: number): number {
    assert(this.#first.ts.length === 0, 'everything before a page that is dropped is dropped')
    const low = lowerBound(events.ts, floor)
    dropOldest(events, low)
    this.#first = events
    return low
  }

  /** Gives the page that the event opens, cut off from the events before. */
  #insertInto(events: EventColumns, event: KernelEvent, ordinalOfFirst: number): Opened | null {
    const index = insertEvent(events, event)
    const ordinal = ordinalAt(events, index, { event, ofFirst: ordinalOfFirst })
    if (this.#store.levelOf(event, ordinal) === 0) return null
    return { opener: placeOf(event, ordinal, this.#store.program.keepsTies), events: splitOff(events, index) }
  }

  /** Gives the span that begins with the event, when it opens one of the level. */
  #insertBelow(span: Span, event: KernelEvent): Span | null {
    this.#store.change(span)
    let opened: Span | null
    if (span.events !== null) {
      const page = this.#insertInto(span.events, event, span.opener.ordinal)
      opened = page === null ? null : makeSpan(1, page.opener, { events: page.events })
    } else {
      const children = span.children!
      const index = this.#indexOf(children, event)
      opened = this.#insertBelow(children[index]!, event)
      if (opened !== null) {
        children.splice(index + 1, 0, opened)
        const splits = this.#levelOf(opened.opener) >= span.level
        opened = splits ? makeSpan(span.level, opened.opener, { children: children.splice(index + 1) }) : null
      }
    }
    recount(span)
    return opened
  }

  /** Index of the last span whose opener is not behind the event; -1 when all are. */
  #indexOf(spans: readonly Span[], event: KernelEvent): number {
    let [from, to] = [0, spans.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#compare(spans[middle]!.opener, event) <= 0) from = middle + 1
      else to = middle
    }
    return from - 1
  }

  #compare(place: Place, event: KernelEvent): number {
    return comparePlace(place, event, this.#store.program.keepsTies)
  }

  #levelOf(place: Place): number {
    return this.#store.levelOf(place, place.ordinal)
  }

  /** After a new opener: what lies between two openers of a level now becomes a span of that level. */
  #raise(opener: Place): void {
    const spans = this.#spans
    const highest = this.#levelOf(opener)
    for (let level = 2; level <= highest; level++) {
      const openers = [...spans.keys()].filter((index) => this.#levelOf(spans[index]!.opener) >= level)
      if (this.#last !== null && this.#levelOf(this.#last.opener) >= level) openers.push(spans.length)
      for (let index = openers.length - 2; index >= 0; index--) {
        const [from, to] = [openers[index]!, openers[index + 1]!]
        const first = spans[from]!
        if (first.level >= level) continue
        spans.splice(from, to - from, makeSpan(level, first.opener, { children: spans.slice(from, to) }))
      }
    }
  }
}

type Opened = { readonly opener: Place; readonly events: EventColumns }

type Head = {
  readonly first: EventColumns
  readonly spans: Span[]
  readonly last: Opened | null
  readonly count: number
}

function newestIn({ ts }: EventColumns, t: number): number {
  return ts[lowerBound(ts, t) - 1] ?? -1
}

/** The events from `index` on, taken off. */
function splitOff({ ts, ties, columns }: EventColumns, index: number): EventColumns {
  return {
    ts: ts.splice(index),
    ties: ties?.splice(index) ?? null,
    columns: columns.map((column) => column.splice(index)),
  }
}
