import type { EventColumns } from '../event-columns.ts'
import type { Place } from './place.ts'

/**
 * The events from one opener of a level up to the next of the same level or higher: a page of events (level 1), or a
 * node over spans of the level below. What is known without reading its record stands here; the record's content is
 * there while it is needed.
 */
export type Span = {
  readonly level: number
  /** Its first event. */
  readonly opener: Place
  count: number
  /** Time of its last event. */
  newest: number
  /** The partial aggregates as they stand in the reference; null: the content changed since they were computed. */
  encoded: Uint8Array | null
  /** One per channel, undefined where it is too large to be kept here, or `notDecoded`; null: none is decoded yet. */
  partials: unknown[] | null
  /** Channels whose partial is kept in the node's own record, and here only while that is loaded. */
  large: readonly number[]
  /** Of the record, while nothing changed since it was made. */
  version: number
  changed: boolean
  /** Whether a record was ever made: it has to be deleted when the span goes. */
  stored: boolean
  /** About how many bytes of memory the content takes. */
  cost: number
  /** Of a page. */
  events: EventColumns | null
  /** Of a node: at least one. */
  children: Span[] | null
}

/** Sets are dear to decode: of a reference only those are that somebody reads. */
export const notDecoded: unique symbol = Symbol('not decoded')

type Content = { readonly events: EventColumns } | { readonly children: Span[] }

/** A span that no record has yet. */
export function makeSpan(level: number, opener: Place, content: Content): Span {
  const span: Span = {
    level,
    opener,
    count: 0,
    newest: -1,
    encoded: null,
    partials: null,
    large: [],
    version: 0,
    changed: true,
    stored: false,
    cost: 0,
    events: null,
    children: null,
    ...content,
  }
  recount(span)
  return span
}

/** Count and time of the last event, from the content. */
export function recount(span: Span): void {
  const { events, children } = span
  span.count = events === null ? children!.reduce((sum, { count }) => sum + count, 0) : events.ts.length
  span.newest = events === null ? children!.at(-1)!.newest : events.ts.at(-1)!
}

/** Lets go of the content; what stands in the reference stays. */
export function unload(span: Span): void {
  span.events = null
  span.children = null
  if (span.partials !== null) for (const channel of span.large) span.partials[channel] = undefined
}
