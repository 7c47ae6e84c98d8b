import type { Plan, StreamPlan } from '../../plan/plan.ts'
import { type Field, pathOf } from '../../schema/field.ts'
import { type DeclaredParts, declaredParts } from './declared-parts.ts'

/** Where the events of a stream have the join keys of an entity. */
export type KeyPlace = {
  readonly entity: string
  /** In declared order, as the rest: where the raw event has each, its field in the stream, its place in a row. */
  readonly paths: readonly string[]
  readonly fields: readonly Field[]
  readonly columns: readonly number[]
  /** Whether the applied definitions have it. */
  readonly applied: boolean
}

/** One reading of a topic: by a stream of some version of the definitions, and the entities that they ever had. */
export type EventReader = { readonly stream: StreamPlan; readonly keys: readonly KeyPlace[] }

/** Every reading of a topic. */
export type TopicReaders = {
  readonly readers: readonly EventReader[]
  readonly parts: DeclaredParts
  /** Paths of ids and event times, which stay: verdicts depend on them. */
  readonly fixed: ReadonlySet<string>
}

/** Topic → its readings. A history's events are read as those of the stream itself. */
export function topicReaders(applied: Plan, plans: readonly Plan[]): ReadonlyMap<string, TopicReaders> {
  const streams = [applied, ...plans.filter((plan) => plan !== applied)].flatMap((plan) =>
    plan.streams.map((stream) => ({ stream, applied: plan === applied })),
  )
  const topics = new Set(streams.flatMap(({ stream }) => topicsOf(stream)))
  return new Map(
    [...topics].map((topic) => {
      const readers = readersOf(streams.filter(({ stream }) => topicsOf(stream).includes(topic)))
      const fields = readers.flatMap(({ stream }) => Object.entries(stream.fields))
      const parts = declaredParts(fields.map(([name, field]) => pathOf(name, field)))
      const fixed = readers.flatMap(({ stream: { fields: own, time, id } }) =>
        [time, ...(id === null ? [] : [id])].map((column) => pathOf(...Object.entries(own)[column]!)),
      )
      return [topic, { readers, parts, fixed: new Set(fixed) }]
    }),
  )
}

export function topicsOf({ topic, history }: StreamPlan): readonly string[] {
  return history === null ? [topic] : [topic, history.topic]
}

type Versioned = { readonly stream: StreamPlan; readonly applied: boolean }

/** Those that read alike are one, with the keys of all. */
function readersOf(streams: readonly Versioned[]): EventReader[] {
  const byReading = Map.groupBy(streams, ({ stream: { fields, time, id, rules } }) =>
    JSON.stringify([Object.entries(fields), time, id, rules]),
  )
  return [...byReading.values()].map((alike) => {
    const keys = new Map<string, KeyPlace>()
    for (const key of alike.flatMap(keyPlaces)) {
      const name = JSON.stringify([key.entity, key.paths])
      // Those of the applied definitions come first.
      if (!keys.has(name)) keys.set(name, key)
    }
    return { stream: alike[0]!.stream, keys: [...keys.values()] }
  })
}

function keyPlaces({ stream, applied }: Versioned): KeyPlace[] {
  return stream.views.map(({ entity, keys, projection }) => ({
    entity,
    paths: keys.map(({ path }) => path),
    fields: keys.map(({ column }) => stream.fields[column]!),
    columns: projection.keys,
    applied,
  }))
}
