import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Model } from '../../definition/declared-model.ts'
import type { Experiment } from '../../definition/experiment.ts'
import type { Log, LogRecord, RecordInput } from '../../log/log.ts'
import type { ScorePlan } from '../../plan/model-plan.ts'
import type { AcceptedEvent } from '../../plan/plan.ts'
import { experimentDataTopic, modelInputTopic, predictionsTopic } from '../../plan/topics.ts'
import { formatInstant } from '../../schema/instant.ts'
import type { VectorReader } from '../../serve/vector-reader.ts'
import type { Prediction } from '../../model/predictor.ts'
import type { EventFollower } from '../../stream/event-follower.ts'
import { givenValue } from '../../stream/feature-record.ts'
import {
  coordinateHeaders,
  type Coordinates,
  coordinatesIn,
  headerText,
  outputHeaders,
} from '../../stream/output-headers.ts'
import { OutputError } from '../../stream/outputs.ts'
import { type NextOffsetOf, WrittenOutputs } from '../../stream/written-outputs.ts'
import { exposureOf, exposureRecord } from '../experiments/exposure.ts'
import type { Assigned, Experiments } from '../experiments/experiments.ts'
import type { Models } from '../models.ts'
import { inputText, predictionText } from './answer-text.ts'
import { ask, type Asked, askedBefore, predictAll } from './asked.ts'

export type ScorerOptions = {
  /** Model or experiment → the stream whose events it scores. */
  readonly scores: ReadonlyMap<string, string>
  readonly models: Models
  readonly experiments: Experiments | null
  readonly log: Log
  readonly clock: Clock
  /** Told of each prediction. */
  readonly count: (outcome: string) => void
}

/** An event on its way to its prediction. */
type Item = {
  readonly source: Coordinates
  readonly question: Question
  /** Null: it is not of an experiment, or the subject is in no arm. */
  readonly exposed: Exposed | null
  /** Of its records: the JSON of the join keys, as in `feature-events`. */
  readonly key: Uint8Array
  readonly headers: NonNullable<RecordInput['headers']>
}

/** `isNoted`: the record of it is there already. */
type Exposed = { readonly assigned: Assigned; readonly isShadow: boolean; readonly isNoted: boolean }

/** Who is asked about an event: a model, for itself or in an experiment. `name` is that of its records. */
type Asking = {
  readonly name: string
  readonly model: string
  readonly about: Readonly<Record<string, unknown>>
  readonly exposed: Exposed | null
}

type Question =
  /** `isNew`: its vector is not in the log yet. */
  | { readonly asked: Asked; readonly isNew: boolean }
  /** There is no vector to be had. */
  | { readonly refused: object; readonly id: string }

const topics = [modelInputTopic, experimentDataTopic, predictionsTopic]
const batchMax = 2_048
/** Events that wait for their predictions: beyond so many, folding waits as well. */
const waitingMax = 8_192
const deadlineMs = 10_000

/**
 * Scores each accepted event of some streams, with the vector as it is right after the event: read beside the fold, run
 * and written a batch at a time, in the order of each partition. Exactly once, as the engine's own outputs are: a
 * checkpoint waits for the predictions of its events, and what a crash leaves behind is recognised by its coordinates.
 */
export class Scorer implements EventFollower {
  readonly #options: ScorerOptions
  readonly #streams: ReadonlyMap<string, readonly string[]>
  readonly #headers = new HeaderCache()
  #reader: (() => VectorReader) | null = null
  #written = new WrittenOutputs()
  /** Vectors that an earlier process wrote, whose predictions are not there. */
  readonly #found = new Map<string, LogRecord>()
  #waiting: Item[] = []
  #taken = 0
  #done = 0
  #failure: OutputError | null = null
  #running: Promise<void> | null = null
  #moved = Promise.withResolvers<void>()

  /** The topics exist. */
  constructor(options: ScorerOptions) {
    this.#options = options
    const byStream = Map.groupBy(options.scores, ([, stream]) => stream)
    this.#streams = new Map([...byStream].map(([stream, list]) => [stream, list.map(([model]) => model)]))
  }

  /** Where vectors come from. Before the engine starts. */
  readFrom(reader: () => VectorReader): void {
    this.#reader = reader
  }

  /** Predictions on their way. */
  get waiting(): number {
    return this.#taken - this.#done
  }

  follows(stream: string): boolean {
    return this.#streams.has(stream)
  }

  accepted(event: AcceptedEvent, source: Coordinates): void {
    // What was accepted for an entity that was forgotten is nobody's any more.
    if (this.#failure !== null || event.erased !== undefined) return
    for (const name of this.#streams.get(source.stream)!) {
      for (const asking of this.#askedBy(name, event, source)) {
        if (this.#written.has(predictionsTopic, placeOf(asking.name, source))) continue
        const question = this.#question(asking, event, source)
        const key = Buffer.from('asked' in question ? question.asked.text.keys : question.id)
        const { exposed } = asking
        this.#waiting.push({ source, question, key, exposed, headers: this.#headers.of(asking.name, source) })
        this.#taken += 1
      }
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
  }

  async room(signal: AbortSignal): Promise<void> {
    while (this.waiting >= waitingMax && this.#failure === null && !signal.aborted) await this.#moved.promise
  }

  async restore(ends: Readonly<Record<string, readonly number[]>>, next: NextOffsetOf): Promise<void> {
    await this.#running
    this.#failure = null
    this.#written = new WrittenOutputs()
    this.#found.clear()
    const { log } = this.#options
    for (const topic of topics.filter((one) => countOf(log, one) > 0)) {
      await log.refresh(topic)
      for (let partition = 0; partition < countOf(log, topic); partition++) {
        const end = log.end(topic, partition)
        let offset = Math.max(ends[topic]?.[partition] ?? 0, log.start(topic, partition))
        while (offset < end) {
          const read = await log.read(topic, partition, offset, 4 * 1024 * 1024)
          for (const record of read.records) this.#remember({ topic, partition, record }, next)
          offset = read.next
        }
      }
    }
  }

  async cut(next: NextOffsetOf): Promise<Readonly<Record<string, readonly number[]>>> {
    const { log } = this.#options
    const taken = this.#taken
    const ahead = this.#written.aheadFrom((place) => next({ ...place, stream: streamIn(place.stream) }))
    const ends = topics.map((topic) => {
      const places = Array.from({ length: countOf(log, topic) }, (_, partition) => {
        const end = log.end(topic, partition)
        return Math.min(end, ahead.get(`${topic}/${partition}`) ?? end)
      })
      return [topic, places] as const
    })
    while (this.#failure === null && this.#done < taken) await this.#moved.promise
    if (this.#failure !== null) throw this.#failure
    return Object.fromEntries(ends)
  }

  /** Gives up what is not begun: the next process is told of it again. */
  async close(): Promise<void> {
    this.#taken -= this.#waiting.length
    this.#waiting = []
    await this.#running
  }

  #remember(found: { topic: string; partition: number; record: LogRecord }, next: NextOffsetOf): void {
    const { topic, partition, record } = found
    const model = headerText(record, outputHeaders.model)
    if (model === '') return
    const source = coordinatesIn(record)
    const nextOffset = next(source)
    if (nextOffset === null || source.offset < nextOffset) return
    const place = placeOf(model, source)
    this.#written.add({ topic, partition, offset: record.offset }, place)
    // The vectors come first: of those that have a prediction none is looked for.
    if (topic === modelInputTopic) this.#found.set(nameOf(place), record)
    else if (topic === predictionsTopic) this.#found.delete(nameOf(place))
  }

  /** A model by itself; or that of the subject's arm, and the experiment's shadows. */
  #askedBy(name: string, { row }: AcceptedEvent, source: Coordinates): readonly Asking[] {
    const { experiments } = this.#options
    if (experiments === null || !experiments.has(name)) return [{ name, model: name, about: nothing, exposed: null }]
    const stream = this.#reader!().plan.streams.find((one) => one.name === source.stream)
    const place = stream === undefined ? -1 : Object.keys(stream.fields).indexOf(experiments.unit(name))
    const assigned = experiments.assign(name, row[place] ?? null)
    const about = { experiment_id: name, variant: assigned.arm }
    const exposed = (by: string): Exposed | null => {
      if (assigned.arm === null) return null
      return { assigned, isShadow: by !== name, isNoted: this.#written.has(experimentDataTopic, placeOf(by, source)) }
    }
    const served = { name, model: assigned.model, about, exposed: exposed(name) }
    if (assigned.arm === null) return [served]
    const shadows = assigned.experiment.shadows.map(({ name: model }) => {
      const by = `${name}/${model}`
      return { name: by, model, about: { ...about, stage: 'shadow' }, exposed: exposed(by) }
    })
    return [served, ...shadows]
  }

  #question(asking: Asking, { row, ts, tie }: AcceptedEvent, source: Coordinates): Question {
    const { models } = this.#options
    const { model } = asking
    const reader = this.#reader!()
    const { topic, partition, offset } = source
    const stream = reader.plan.streams.find((one) => one.name === source.stream)
    const id = stream?.id === null || stream === undefined ? `${topic}/${partition}@${offset}` : String(tie)
    const about: Record<string, unknown> = {
      request_id: id,
      event_time: formatInstant(ts),
      source: { topic, partition, offset },
      ...asking.about,
    }
    try {
      const taken = models.take(model, reader.plan)
      const keys = keysOf(taken.plan.score!, row)
      const user = userIn(keys)
      if (user !== undefined) about['user_id'] = user
      const name = nameOf(placeOf(asking.name, source))
      const before = this.#found.get(name)
      if (before !== undefined) this.#found.delete(name)
      const again = before === undefined ? null : askedBefore(about, taken, before)
      if (again !== null) return { asked: again, isNew: false }
      return { asked: ask({ about, keys, taken }, reader, { asOf: ts + 1 }), isNew: true }
    } catch (error) {
      if (!(error instanceof MillraceError) || error.kind === 'internal') throw error
      const nothing = { prediction: null, confidence: null, model, outcome: 'refused', reason: error.code }
      return { refused: { ...about, ...nothing, detail: error.message }, id }
    }
  }

  /** Ends when nothing waits. Never rejects: what goes wrong is thrown by the next cut. */
  async #run(): Promise<void> {
    const { clock } = this.#options
    // What is folded in one turn goes together.
    await clock.turn()
    while (this.#waiting.length > 0) {
      const items = this.#waiting.splice(0, batchMax)
      try {
        await this.#score(items)
      } catch (error) {
        const sources = [...items, ...this.#waiting].map(({ source }) => source)
        this.#failure = new OutputError(topics, distinct(sources), error)
        this.#waiting = []
        this.#done = this.#taken
      }
      if (this.#failure === null) this.#done += items.length
      this.#moved.resolve()
      this.#moved = Promise.withResolvers()
    }
  }

  async #score(items: readonly Item[]): Promise<void> {
    const { clock, count } = this.#options
    const asked = items.flatMap(({ question }) => ('asked' in question ? [question.asked] : []))
    const inputs = items.filter(({ question }) => 'asked' in question && question.isNew)
    const readMs = clock.now()
    const predictions = predictAll(asked, deadlineMs)
    const written = this.#append(modelInputTopic, inputs, readMs, ({ question }) =>
      'asked' in question ? inputText(question.asked) : '',
    )
    const [given] = await Promise.all([predictions, written])
    const nowMs = clock.now()
    await this.#expose(items, given, { readMs, nowMs })
    let next = 0
    await this.#append(predictionsTopic, items, nowMs, ({ question }) => {
      if ('refused' in question) {
        count('refused')
        return JSON.stringify({ ...question.refused, timestamp: formatInstant(nowMs) })
      }
      const prediction = given[next++]!
      count(prediction.outcome)
      return predictionText(question.asked, prediction, nowMs)
    })
  }

  /** What the experiments of some items are told, and their records: durable before the predictions are. */
  async #expose(
    items: readonly Item[],
    given: readonly Prediction[],
    { readMs, nowMs }: { readonly readMs: number; readonly nowMs: number },
  ): Promise<void> {
    const { experiments } = this.#options
    if (experiments === null) return
    const records = new Map<Item, RecordInput>()
    let next = 0
    for (const item of items) {
      const { exposed, question, headers } = item
      if ('refused' in question) continue
      const prediction = given[next++]!
      if (exposed === null) continue
      const { assigned, isShadow, isNoted } = exposed
      if (!isShadow) {
        experiments.told(assigned, { failed: prediction.outcome === 'failed', latencyMs: nowMs - readMs })
      }
      if (isNoted) continue
      const about = { experiment: assigned.experiment.name, unit: assigned.unit, arm: assigned.arm!, shadow: isShadow }
      const exposure = exposureOf({ ...about, model: question.asked.taken.name }, prediction, nowMs)
      records.set(item, { ...exposureRecord(assigned.unit, exposure, nowMs), headers })
    }
    await this.#appendRecords(experimentDataTopic, records)
  }

  async #appendRecords(topic: string, made: ReadonlyMap<Item, RecordInput>): Promise<void> {
    if (made.size === 0) return
    const { log } = this.#options
    const partitions = countOf(log, topic)
    const lists = Map.groupBy(made, ([{ source }]) => source.partition % partitions)
    const appends = [...lists].map(([partition, list]) =>
      log.append(
        topic,
        partition,
        list.map(([, record]) => record),
      ),
    )
    await Promise.all(appends)
  }

  /** One append per partition, of what `textOf` makes of each item in turn; resolves when all of it is durable. */
  async #append(
    topic: string,
    items: readonly Item[],
    timestampMs: number,
    textOf: (item: Item) => string,
  ): Promise<void> {
    const { log } = this.#options
    const partitions = countOf(log, topic)
    const records: RecordInput[][] = Array.from({ length: partitions }, () => [])
    for (const item of items) {
      const { key, headers, source } = item
      records[source.partition % partitions]!.push({ key, value: Buffer.from(textOf(item)), timestampMs, headers })
    }
    const filled = [...records.entries()].filter(([, list]) => list.length > 0)
    await Promise.all(filled.map(([partition, list]) => log.append(topic, partition, list)))
  }
}

/** Several models may score one event: each has coordinates of its own. Neither name has this sign in it. */
function placeOf(model: string, source: Coordinates): Coordinates {
  return { ...source, stream: `${model}@${source.stream}` }
}

/** Headers that say where a record came from: all but the offset are bytes that were made once. */
class HeaderCache {
  readonly #known = new Map<string, NonNullable<RecordInput['headers']>>()

  of(model: string, source: Coordinates): NonNullable<RecordInput['headers']> {
    const name = `${model} ${source.stream} ${source.topic} ${source.partition}`
    let headers = this.#known.get(name)
    if (headers === undefined) {
      const texts = Object.entries({ ...coordinateHeaders(source), [outputHeaders.model]: model })
      headers = texts.map(([header, text]) => [header, Buffer.from(text)] as const)
      this.#known.set(name, headers)
    }
    const offset = [outputHeaders.offset, Buffer.from(String(source.offset))] as const
    return headers.map((header) => (header[0] === outputHeaders.offset ? offset : header))
  }
}

function streamIn(name: string): string {
  return name.slice(name.indexOf('@') + 1)
}

function nameOf({ stream, topic, partition, offset }: Coordinates): string {
  return `${stream} ${topic} ${partition} ${offset}`
}

function keysOf({ keys }: ScorePlan, row: AcceptedEvent['row']): Record<string, unknown> {
  return Object.fromEntries(
    keys.map(({ name, field, place }) => {
      const value = row[place] ?? null
      return [name, value === null ? null : givenValue(field, value)]
    }),
  )
}

function userIn(keys: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(keys)
  return Object.hasOwn(keys, 'user_id') ? keys['user_id'] : names.length === 1 ? keys[names[0]!] : undefined
}

function distinct(sources: readonly Coordinates[]): { topic: string; partition: number }[] {
  const places = new Map(sources.map(({ topic, partition }) => [`${topic}/${partition}`, { topic, partition }]))
  return [...places.values()]
}

const nothing: Asking['about'] = {}

/** 0: there is no such topic, as there is none of experiments where there are no experiments. */
function countOf(log: Log, topic: string): number {
  return log.topics().find((one) => one.topic === topic)?.partitions ?? 0
}

/** The scorer of the models and experiments that score events, and its topics; null: there are none. */
export async function openScorer(
  {
    models = [],
    experiments = [],
  }: { readonly models?: readonly Model[]; readonly experiments?: readonly Experiment[] },
  { partitions, ...options }: Omit<ScorerOptions, 'scores'> & { readonly partitions: number },
): Promise<Scorer | null> {
  const scores = new Map(
    [...models, ...experiments].flatMap(({ name, score }) => (score === null ? [] : [[name, score.on.name] as const])),
  )
  if (scores.size === 0) return null
  const { log } = options
  const missing = [modelInputTopic, predictionsTopic].filter((topic) =>
    log.topics().every((one) => one.topic !== topic),
  )
  for (const topic of missing) await log.createTopic(topic, { partitions })
  return new Scorer({ scores, ...options })
}
