/**
 * The definitions that a run draws from. All durations are short, so that windows close, events come late, ids are
 * forgotten and keys run out of their time to live within a few dozen events.
 */
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView, sawtooth } from '../../src/definition/feature-view.ts'
import { type Stream, stream } from '../../src/definition/stream.ts'
import type { Duration } from '../../src/base/duration.ts'
import type { Paging } from '../../src/kernel/program.ts'
import { compile } from '../../src/plan/compile.ts'
import type { Plan, ViewPlan } from '../../src/plan/plan.ts'
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
const shapeMakers = {
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
  /** Keeps tiles. */
  byTile: (from: SimulatedStream, name: string) =>
    featureView(name, {
      from,
      by: user,
      horizon: '30ms',
      features: (on) => ({
        [`${name}_count`]: on.count({ over: '100ms', precision: sawtooth('20ms') }),
        [`${name}_sum`]: on.sum('n', { over: '60ms', offset: '20ms', precision: sawtooth('20ms') }),
        [`${name}_max`]: on.max('n', { over: '400ms', precision: sawtooth('50ms') }),
        [`${name}_last`]: on.last('id', { over: '60ms', precision: sawtooth('20ms') }),
        [`${name}_life`]: on.sum('n', { over: 'lifetime' }),
      }),
    }),
} as const

export type ShapeName = keyof typeof shapeMakers
const firstShapes: readonly ShapeName[] = ['byUser', 'byItem', 'byPair']
const allShapes: readonly ShapeName[] = [...firstShapes, 'byTile']

/** A handful of events is many. */
const smallPages: Paging = { rowsMax: 3, pageBits: 1, nodeBits: 1 }

/** Remembered ids that are forgotten together: fewer than a run has, by far. */
const smallIdChunk = 4

export type ViewChoice = { readonly name: string; readonly stream: number; readonly shape: ShapeName }

export type Definitions = {
  readonly streams: readonly Stream[]
  readonly views: readonly FeatureView[]
  readonly plan: Plan
}

const compiled = new Map<string, Definitions>()

/** Compiled once per choice: some come again and again. */
export function makeDefinitions({ streams, views, paging, idChunk }: Choices): Definitions {
  const name = JSON.stringify([streams, views, paging, idChunk])
  const known = compiled.get(name)
  if (known !== undefined) return known
  const made = streams.map(makeStream)
  const built = views.map(({ name: view, stream: index, shape }): FeatureView => shapeMakers[shape](made[index]!, view))
  const definitions = { streams: made, views: built, plan: withIdChunk(withPaging(compile(built), paging), idChunk) }
  // There are more choices than memory has room for plans.
  if (compiled.size >= 500) compiled.clear()
  compiled.set(name, definitions)
  return definitions
}

/** The same plan, with fewer events in a page. No value depends on it, and so no fingerprint does. */
function withPaging(plan: Plan, paging: Paging | null): Plan {
  if (paging === null) return plan
  const changed = new Map(plan.views.map((view) => [view, { ...view, program: { ...view.program, paging } }]))
  const others = (views: readonly ViewPlan[]): ViewPlan[] => views.map((view) => changed.get(view)!)
  return {
    ...plan,
    views: others(plan.views),
    streams: plan.streams.map((one) => ({ ...one, views: others(one.views) })),
    services: plan.services.map((one) => ({ ...one, views: others(one.views) })),
  }
}

/** The same plan, which forgets ids in smaller chunks. */
function withIdChunk(plan: Plan, idChunk: number | null): Plan {
  if (idChunk === null) return plan
  return { ...plan, streams: plan.streams.map((one) => ({ ...one, idChunk })) }
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
export type Choices = {
  readonly streams: readonly StreamChoice[]
  readonly views: readonly ViewChoice[]
  /** Which its views may have. */
  readonly shapes: readonly ShapeName[]
  /** Null: as in production, which is more than a run has events for. */
  readonly paging: Paging | null
  /** Null: as in production. */
  readonly idChunk: number | null
}

/** @param keepMs how long topics are kept. */
export function drawChoices(random: Random, { keepMs, isLater }: { keepMs: number | null; isLater: boolean }): Choices {
  // A topic must be kept for as long as windows, lateness and the bound ahead reach together.
  const sets =
    keepMs === null ? ruleSets : ruleSets.filter(({ future }) => future !== '1h').map((one) => ({ ...one, keepMs }))
  const shapes = isLater ? allShapes : firstShapes
  const paging = isLater && random.chance(0.6) ? smallPages : null
  const streams = drawStreams(random, sets)
  return {
    streams,
    views: streams.flatMap((_, stream) => drawViews(random, stream, shapes)),
    shapes,
    paging,
    idChunk: isLater ? smallIdChunk : null,
  }
}

function drawStreams(random: Random, sets: readonly Rules[]): StreamChoice[] {
  const rules = (): Rules => random.pick(sets)
  const first = { name: 'clicks', topic: 'clicks.v1', rules: rules() }
  if (random.chance(0.6)) return [first]
  const second = { name: 'orders', topic: random.chance(0.5) ? first.topic : 'orders.v1', rules: rules() }
  // Two streams of one content and two names are one to the engine.
  return second.topic === first.topic && second.rules === first.rules ? [first] : [first, second]
}

function drawViews(random: Random, stream: number, shapes: readonly ShapeName[]): ViewChoice[] {
  const first = random.below(shapes.length)
  return Array.from({ length: random.between(1, 2) }, (_, nth): ViewChoice => {
    const shape = shapes[(first + nth) % shapes.length]!
    return { name: `v${stream}${shape}`, stream, shape }
  })
}

/** Other definitions that somebody may apply in place of these. */
export function change(random: Random, choices: Choices): Choices {
  const { streams, views, shapes } = choices
  const at = random.below(views.length)
  const { name, stream, shape } = views[at]!
  switch (random.below(6)) {
    case 0:
      return {
        ...choices,
        views: views.with(at, { name: name.endsWith('_') ? name.slice(0, -1) : `${name}_`, stream, shape }),
      }
    case 1:
      return { ...choices, views: views.with(at, { name, stream, shape: random.pick(shapes) }) }
    case 2:
      if (views.filter((view) => view.stream === stream).length > 1)
        return { ...choices, views: views.toSpliced(at, 1) }
      return { ...choices, views: [...views, { name: freeName(views), stream, shape: random.pick(shapes) }] }
    case 3:
      return { ...choices, views: views.toReversed() }
    default: {
      const rules = random.pick(ruleSets)
      const changed = streams.with(stream, { ...streams[stream]!, rules })
      const [one, other] = changed
      if (other !== undefined && one!.topic === other.topic && one!.rules === other.rules) return choices
      return { ...choices, streams: changed }
    }
  }
}

function freeName(views: readonly ViewChoice[]): string {
  for (let number = 0; ; number++) if (!views.some(({ name }) => name === `w${number}`)) return `w${number}`
}
