import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { logHistory } from '../../dataset/history.ts'
import type { EmbeddedLog } from '../../log/embedded/embedded-log.ts'
import type { Replacement } from '../../log/embedded/rewrite.ts'
import type { LogRecord } from '../../log/log.ts'
import { undeclared } from '../../plan/find.ts'
import { type Forgotten, readForgotten } from '../../plan/forgotten.ts'
import type { Plan } from '../../plan/plan.ts'
import { deadLetterTopic, lateTopic } from '../../plan/topics.ts'
import { recordsOf } from '../doctor/check-rejections.ts'
import { openRegistry } from '../versions.ts'
import { type Erased, EventEraser } from './event-eraser.ts'
import { topicReaders, topicsOf } from './event-readers.ts'
import { eraseRejection, FeatureEraser, type LivingEvents } from './output-eraser.ts'
import { SideEffects } from './side-effects.ts'
import { readingSchemas } from '../schemas/log-with-schemas.ts'

export type CompactProgress = { readonly phase: string; readonly done: number; readonly total: number | null }

export type CompactLogOptions = {
  readonly log: EmbeddedLog
  readonly folder: string
  /** Null: the version that is applied. */
  readonly plan: Plan | null
  readonly clock: Clock
  /** Whether the state may go although the log cannot give all of it back. */
  readonly mayLoseState: boolean
  /** Called once, before the first record is replaced; durable when it resolves. */
  readonly removeState: () => Promise<void>
  readonly onProgress: (progress: CompactProgress) => void
}

export type TopicCompaction = {
  readonly topic: string
  /** Records that were looked at. */
  readonly searched: number
  readonly replaced: number
  /** Refused events that are no JSON object: whom they are about, nobody can tell. */
  readonly unsearchable: number
}

type LogCompaction = {
  readonly forgotten: number
  readonly topics: readonly TopicCompaction[]
  readonly changed: boolean
  readonly notes: readonly string[]
}

/** One partition, and what becomes of its records. */
type Search = {
  readonly topic: string
  readonly partition: number
  readonly end: number
  readonly erase: (record: LogRecord) => Erased | Promise<Erased>
}

/**
 * Looks through everything first: damage is met before anything is changed. Then it replaces, what the engine wrote
 * before what it read: published values that show a key of another entity's event are found by those events.
 */
export async function compactLog(options: CompactLogOptions): Promise<LogCompaction> {
  const { log, onProgress } = options
  const forgotten = await readForgotten(log)
  if (forgotten.all.length === 0) return { forgotten: 0, topics: [], changed: false, notes: [] }
  const { applied, plans } = await plansOf(options)
  checkEntities(forgotten, plans)
  const eraser = new EventEraser(forgotten, topicReaders(applied, plans))
  const effects = new SideEffects(applied, plans)
  const sources = sourceSearches({ log, forgotten, plans, eraser })
  const outputs = outputSearches({
    log,
    forgotten,
    plans,
    eraser,
    effects,
    living: livingEvents(options, applied, forgotten),
  })

  const tallies = new Map<string, { topic: string; searched: number; replaced: number; unsearchable: number }>()
  const touched = new Set<Search>()
  for (const search of [...sources, ...outputs]) {
    const { topic } = search
    const tally = tallies.get(topic) ?? { topic, searched: 0, replaced: 0, unsearchable: 0 }
    tallies.set(topic, tally)
    for await (const { record, erased } of erasedIn(log, search, progressOf('searching', search, onProgress))) {
      tally.searched += 1
      if (erased === 'unsearchable') tally.unsearchable += 1
      if (typeof erased === 'string') continue
      tally.replaced += 1
      touched.add(search)
      if (sources.includes(search)) effects.note(topic, record, erased)
    }
  }
  if (touched.size > 0) {
    if (!options.mayLoseState) checkRebuildable(log, applied)
    await options.removeState()
    for (const search of [...outputs, ...sources]) if (touched.has(search)) await replaceIn(options, search)
  }
  const kept = [...eraser.kept].map(([what, why]) => `${what} stays: ${why}`)
  return {
    forgotten: forgotten.all.length,
    topics: [...tallies.values()],
    changed: touched.size > 0,
    notes: [...kept, ...effects.lines, ...(await overlooked(log, forgotten, plans))],
  }
}

/** Every version that was ever applied: what it read is in the log, and may be about an entity that is gone since. */
async function plansOf({ log, plan, folder }: CompactLogOptions): Promise<{ applied: Plan; plans: readonly Plan[] }> {
  const registry = await openRegistry(log)
  const registered = registry.versions.map(({ number }) => registry.compiled(number).plan)
  const applied = plan ?? registered.at(-1)
  if (applied === undefined) throw new MillraceError('REGISTRY_EMPTY', { place: folder })
  return { applied, plans: [applied, ...registered.filter(({ hash }) => hash !== applied.hash)] }
}

/** What cannot be found must not be passed over. Throws `NAME_UNDECLARED`. */
function checkEntities(forgotten: Forgotten, plans: readonly Plan[]): void {
  const known = new Set(plans.flatMap(({ views }) => views.map(({ entity }) => entity)))
  for (const { entity } of forgotten.all) if (!known.has(entity)) throw undeclared('entity', entity, [...known])
}

type SearchParts = {
  readonly log: EmbeddedLog
  readonly forgotten: Forgotten
  readonly plans: readonly Plan[]
  readonly eraser: EventEraser
}

function sourceSearches({ log, forgotten, plans, eraser }: SearchParts): Search[] {
  const topics = new Set(plans.flatMap(({ streams }) => streams.flatMap(topicsOf)))
  return partitionsIn(log, [...topics]).map(({ topic, partition, end }) => ({
    topic,
    partition,
    end: Math.min(end, forgotten.reachOf(topic, partition)),
    erase: (record) => eraser.erase(record, { topic, partition, offset: record.offset }),
  }))
}

function outputSearches({
  log,
  forgotten,
  plans,
  eraser,
  effects,
  living,
}: SearchParts & { readonly effects: SideEffects; readonly living: LivingEvents }): Search[] {
  const features = new FeatureEraser(forgotten, plans, living)
  const rejections = partitionsIn(log, [lateTopic, deadLetterTopic]).map(
    (place): Search => ({ ...place, erase: (record) => eraseRejection(record, eraser) }),
  )
  const values = partitionsIn(log, features.topics).map(
    (place): Search => ({
      ...place,
      erase: async (record) => {
        const erased = await features.erase(record, place.topic)
        return erased === 'nothing' ? effects.hideIn(record, place.topic) : erased
      },
    }),
  )
  return [...rejections, ...values]
}

function partitionsIn(log: EmbeddedLog, topics: readonly string[]): Omit<Search, 'erase'>[] {
  return log
    .topics()
    .filter(({ topic }) => topics.includes(topic))
    .flatMap(({ topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition, end: log.end(topic, partition) })),
    )
}

type Progress = (record: LogRecord) => void

function progressOf(
  doing: string,
  { topic, partition, end }: Search,
  onProgress: CompactLogOptions['onProgress'],
): Progress {
  const phase = `${doing} ${topic}/${partition}, records`
  return ({ offset }) => {
    if (offset % 1000 === 0) onProgress({ phase, done: offset, total: end })
  }
}

async function* erasedIn(
  log: EmbeddedLog,
  { topic, partition, end, erase }: Search,
  onRecord: Progress,
): AsyncGenerator<{ readonly record: LogRecord; readonly erased: Erased }, void, undefined> {
  for await (const record of recordsOf(log, topic, partition, end)) {
    onRecord(record)
    yield { record, erased: await erase(record) }
  }
}

/** What is held in memory before it is written: each time, the segments that it lies in are written anew. */
const replacedBytesMax = 64 * 1024 * 1024

async function replaceIn({ log, onProgress }: CompactLogOptions, search: Search): Promise<void> {
  const { topic, partition } = search
  let replacements = new Map<number, Replacement>()
  let bytes = 0
  for await (const { record, erased } of erasedIn(log, search, progressOf('replacing in', search, onProgress))) {
    if (typeof erased === 'string') continue
    replacements.set(record.offset, erased)
    bytes += erased.value?.length ?? 0
    if (bytes < replacedBytesMax) continue
    await log.replace(topic, partition, replacements)
    replacements = new Map()
    bytes = 0
  }
  if (replacements.size > 0) await log.replace(topic, partition, replacements)
}

/** Throws `COMPACT_LOSES_STATE` where values would not be what they are, once they are rebuilt from the log. */
function checkRebuildable(log: EmbeddedLog, { streams }: Plan): void {
  for (const stream of streams) {
    if (stream.retention?.rebuild === 'exact') continue
    for (const { topic, partition } of partitionsIn(log, topicsOf(stream))) {
      const start = log.start(topic, partition)
      if (start > 0) throw new MillraceError('COMPACT_LOSES_STATE', { topic, partition, start })
    }
  }
}

/** Read from the log once a view needs it: only those that emit per interval do, when entities of theirs were forgotten. */
function livingEvents({ log: plain, clock }: CompactLogOptions, plan: Plan, forgotten: Forgotten): LivingEvents {
  const { streams } = plan
  const log = readingSchemas(plain, [plan], clock)
  const views = new Map<string, Promise<ReadonlyMap<string, number[]>>>()
  return async (view, key) => {
    const stream = streams.find(({ name }) => name === view.stream)
    if (stream === undefined) return []
    const read = async (): Promise<ReadonlyMap<string, number[]>> => {
      const times = new Map<string, number[]>()
      await logHistory(stream, log, { clock }).read(
        (event, { place: topic, partition, offset }) => {
          const projected = view.project(event)
          if (projected.outcome !== 'applied' || !forgotten.knows(view.entity, projected.key)) return
          if (forgotten.coversEvent(view, event, { topic, partition, offset })) return
          const name = Buffer.from(projected.key).toString('hex')
          times.set(name, [...(times.get(name) ?? []), event.ts])
        },
        () => undefined,
      )
      for (const list of times.values()) list.sort((a, b) => a - b)
      return times
    }
    const found = views.get(view.fingerprint) ?? read()
    views.set(view.fingerprint, found)
    return (await found).get(Buffer.from(key).toString('hex')) ?? []
  }
}

/** A topic that no definition read when an entity was forgotten, and that has older records: nothing of it was forgotten. */
async function overlooked(log: EmbeddedLog, forgotten: Forgotten, plans: readonly Plan[]): Promise<string[]> {
  const lines: string[] = []
  const topics = topicReaders(plans[0]!, plans)
  for (const [topic, { readers }] of topics) {
    const partitions = partitionsIn(log, [topic])
    for (const { entity, prefix, at } of forgotten.all) {
      if (prefix[topic] !== undefined) continue
      if (!readers.some(({ keys }) => keys.some((key) => key.entity === entity))) continue
      const firsts = await Promise.all(
        partitions.map(async ({ partition, end }) => {
          const start = log.start(topic, partition)
          return start === end ? null : (await log.read(topic, partition, start, 1)).records[0]!.timestampMs
        }),
      )
      if (!firsts.some((ms) => ms !== null && ms < Date.parse(at))) continue
      lines.push(`${topic} was not read when a ${entity} was forgotten at ${at}: its records of it stay`)
    }
  }
  return [...new Set(lines)]
}
