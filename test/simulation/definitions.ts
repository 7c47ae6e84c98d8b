/**
 * The definitions that a run draws from. All durations are short, so that windows close, events come late, ids are
 * forgotten and keys run out of their time to live within a few dozen events.
 */
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView } from '../../src/definition/feature-view.ts'
import { type Stream, stream } from '../../src/definition/stream.ts'
import type { Duration } from '../../src/base/duration.ts'
import { compile } from '../../src/plan/compile.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import type { Random } from './random.ts'

const user = entity('user', { user: string() })
const item = entity('item', { item: int() })
const pair = entity('pair', { item: int(), user: string() })

const fields = {
  id: string(),
  user: string().nullable(),
  item: int(),
  n: int().nullable(),
  at: timestamp('ms'),
}

export type Rules = {
  readonly lateness: Duration
  readonly dedupe: Duration
  readonly future: Duration
  readonly hasId: boolean
  /** How long the topic keeps its records; null: for ever. */
  readonly keepMs?: number | null
}

export type StreamChoice = { readonly name: string; readonly topic: string; readonly rules: Rules }

export function makeStream({ name, topic, rules }: StreamChoice) {
  const { lateness, dedupe, future, hasId, keepMs = null } = rules
  const id = hasId ? { id: 'id' as const } : {}
  const retention = keepMs === null ? {} : { retention: { keep: `${keepMs}ms`, rebuild: 'warming' } as const }
  return stream(name, { topic, fields, time: 'at', lateness, dedupe, future, ...id, ...retention })
}

type SimulatedStream = ReturnType<typeof makeStream>

/** Every kind of window and every kind of order, over cheap aggregations: sums of fractions are tested elsewhere. */
const shapes = {
  byUser: (from: SimulatedStream, name: string) =>
    featureView(name, {
      from,
      by: user,
      horizon: '40ms',
      features: (on) => ({
        [`${name}_life`]: on.count({ over: 'lifetime' }),
        [`${name}_recent`]: on.count({ over: '60ms' }),
        [`${name}_before`]: on.count({ over: '50ms', offset: '30ms' }),
        [`${name}_last`]: on.lastK('id', { over: '500ms', k: 3 }),
        [`${name}_first`]: on.first('id', { over: 'lifetime' }),
      }),
    }),
  byItem: (from: SimulatedStream, name: string) =>
    featureView(name, {
      from,
      by: item,
      horizon: '1ms',
      where: (event) => event.n.gte(0),
      features: (on) => ({
        [`${name}_users`]: on.distinctCount('user', { over: '200ms' }),
        [`${name}_max`]: on.max('n', { over: '100ms', offset: '20ms' }),
        [`${name}_last`]: on.last('id', { over: 'lifetime' }),
        [`${name}_row`]: on.row('n'),
      }),
    }),
  byPair: (from: SimulatedStream, name: string) =>
    featureView(name, {
      from,
      by: pair,
      ttl: '150ms',
      horizon: '10ms',
      features: (on) => ({
        [`${name}_sum`]: on.sum('n', { over: 'lifetime' }),
        [`${name}_min`]: on.where((event) => event.n.lt(3)).min('n', { over: '300ms' }),
        [`${name}_count`]: on.count({ over: '1ms' }),
      }),
    }),
} as const

export type ShapeName = keyof typeof shapes
export const shapeNames = Object.keys(shapes) as readonly ShapeName[]

export type ViewChoice = { readonly name: string; readonly stream: number; readonly shape: ShapeName }

export type Definitions = {
  readonly streams: readonly Stream[]
  readonly views: readonly FeatureView[]
  readonly plan: Plan
}

const compiled = new Map<string, Definitions>()

/** Compiled once per choice: some come again and again. */
export function makeDefinitions({ streams, views }: Choices): Definitions {
  const name = JSON.stringify([streams, views])
  const known = compiled.get(name)
  if (known !== undefined) return known
  const made = streams.map(makeStream)
  const built = views.map(({ name: view, stream: index, shape }): FeatureView => shapes[shape](made[index]!, view))
  const definitions = { streams: made, views: built, plan: compile(built) }
  // There are more choices than memory has room for plans.
  if (compiled.size >= 500) compiled.clear()
  compiled.set(name, definitions)
  return definitions
}

const ruleSets: readonly Rules[] = [
  { lateness: '0ms', dedupe: '0ms', future: '20ms', hasId: true },
  { lateness: '0ms', dedupe: '200ms', future: '0ms', hasId: true },
  { lateness: '5ms', dedupe: '5ms', future: '1h', hasId: true },
  { lateness: '30ms', dedupe: '250ms', future: '20ms', hasId: true },
  { lateness: '30ms', dedupe: '30ms', future: '0ms', hasId: true },
  { lateness: '200ms', dedupe: '1h', future: '1h', hasId: true },
  { lateness: '200ms', dedupe: '200ms', future: '20ms', hasId: true },
  { lateness: '5ms', dedupe: '1h', future: '0ms', hasId: false },
  { lateness: '200ms', dedupe: '1h', future: '20ms', hasId: false },
]

/** What definitions are made from. */
export type Choices = { readonly streams: readonly StreamChoice[]; readonly views: readonly ViewChoice[] }

export function drawChoices(random: Random, keepMs: number | null): Choices {
  // A topic must be kept for as long as windows, lateness and the bound ahead reach together.
  const sets =
    keepMs === null ? ruleSets : ruleSets.filter(({ future }) => future !== '1h').map((one) => ({ ...one, keepMs }))
  const streams = drawStreams(random, sets)
  return { streams, views: streams.flatMap((_, stream) => drawViews(random, stream)) }
}

function drawStreams(random: Random, sets: readonly Rules[]): StreamChoice[] {
  const rules = (): Rules => random.pick(sets)
  const first = { name: 'clicks', topic: 'clicks.v1', rules: rules() }
  if (random.chance(0.6)) return [first]
  const second = { name: 'orders', topic: random.chance(0.5) ? first.topic : 'orders.v1', rules: rules() }
  // Two streams of one content and two names are one to the engine.
  return second.topic === first.topic && second.rules === first.rules ? [first] : [first, second]
}

function drawViews(random: Random, stream: number): ViewChoice[] {
  const first = random.below(shapeNames.length)
  return Array.from({ length: random.between(1, 2) }, (_, nth): ViewChoice => {
    const shape = shapeNames[(first + nth) % shapeNames.length]!
    return { name: `v${stream}${shape}`, stream, shape }
  })
}

/** Other definitions that somebody may apply in place of these. */
export function change(random: Random, { streams, views }: Choices): Choices {
  const at = random.below(views.length)
  const { name, stream, shape } = views[at]!
  switch (random.below(6)) {
    case 0:
      return {
        streams,
        views: views.with(at, { name: name.endsWith('_') ? name.slice(0, -1) : `${name}_`, stream, shape }),
      }
    case 1:
      return { streams, views: views.with(at, { name, stream, shape: random.pick(shapeNames) }) }
    case 2:
      if (views.filter((view) => view.stream === stream).length > 1) return { streams, views: views.toSpliced(at, 1) }
      return { streams, views: [...views, { name: freeName(views), stream, shape: random.pick(shapeNames) }] }
    case 3:
      return { streams, views: views.toReversed() }
    default: {
      const rules = random.pick(ruleSets)
      const changed = streams.with(stream, { ...streams[stream]!, rules })
      const [one, other] = changed
      if (other !== undefined && one!.topic === other.topic && one!.rules === other.rules) return { streams, views }
      return { streams: changed, views }
    }
  }
}

function freeName(views: readonly ViewChoice[]): string {
  for (let number = 0; ; number++) if (!views.some(({ name }) => name === `w${number}`)) return `w${number}`
}
