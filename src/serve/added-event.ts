import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { KernelEvent } from '../kernel/event-columns.ts'
import { streamOf } from '../plan/find.ts'
import { inspect } from '../plan/intake.ts'
import type { AcceptedEvent, Plan, Projected, ViewPlan } from '../plan/plan.ts'

// An event that is read with, as if it had just been accepted, and that is not sent.

export type RawEvent = { readonly stream: string; readonly event: Uint8Array }

/** `known`: it was accepted before, and so is in the states. */
export type AddedEvent = { readonly stream: string; readonly event: AcceptedEvent; readonly known: boolean }

/** A view that is read, and the key that it is read for. */
export type ReadPlace = { readonly view: ViewPlan; readonly key: Uint8Array }

type Context = {
  readonly plan: Plan
  readonly clock: Clock
  /** Whether an event of this id was accepted. */
  readonly isKnown: (stream: string, id: string | number) => boolean
}

/** Throws `NAME_UNDECLARED`, and `REQUEST_MALFORMED` for an event that its stream would refuse. */
export function inspectAdded({ stream: name, event }: RawEvent, { plan, clock, isKnown }: Context): AddedEvent {
  const stream = streamOf(plan, name)
  const inspected = inspect(stream, { value: event, timestampMs: clock.now() })
  if ('refusals' in inspected) {
    const list = inspected.refusals.map(
      ({ code, path, came, allowed }) => `${path} ${code}: ${came}, allowed ${allowed}`,
    )
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the event in "with" would be refused (${list.join('; ')})`,
      allowed: `Give an event that stream "${name}" would accept.`,
    })
  }
  const { row, ts } = inspected
  // Without an id it would get the next coordinates of its partition: after every event that is there.
  const tie = stream.id === null ? Number.MAX_SAFE_INTEGER : (row[stream.id] as string | number)
  return { stream: name, event: { row, ts, tie }, known: stream.id !== null && isKnown(name, tie) }
}

/**
 * What of the event counts in the states of one entity, by view. Throws `REQUEST_MALFORMED` for an event that none of
 * the views reads, or that is of other keys in all that do.
 */
export function extrasOf(added: AddedEvent, places: readonly ReadPlace[]): readonly (KernelEvent | null)[] {
  const projections = places.map(({ view }) => (view.stream === added.stream ? view.project(added.event) : null))
  if (projections.every((projected) => projected === null)) {
    const streams = [...new Set(places.map(({ view }) => `"${view.stream}"`))].join(', ')
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the event in "with" is of stream "${added.stream}", which none of the views reads`,
      allowed: `Give an event of ${streams}, or leave "with" out.`,
    })
  }
  const isOfOther = (projected: Projected | null, { key }: ReadPlace): boolean =>
    projected === null || (projected.outcome === 'applied' && Buffer.compare(projected.key, key) !== 0)
  if (projections.every((projected, index) => isOfOther(projected, places[index]!))) {
    const read = places.filter(({ view }) => view.stream === added.stream)
    const names = [...new Set(read.flatMap(({ view }) => view.keys.map(({ name }) => name)))].join(', ')
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the event in "with" has another ${names} than the keys that are read`,
      allowed: 'Give an event of the entity that is read, or leave "with" out.',
    })
  }
  return places.map((place, index) => {
    const projected = projections[index]!
    if (added.known || projected?.outcome !== 'applied' || isOfOther(projected, place)) return null
    return projected.event
  })
}
