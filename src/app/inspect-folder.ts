import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { openEmbeddedLog } from '../log/embedded/embedded-log.ts'
import { nodeFileSystem } from '../log/embedded/node-file-system.ts'
import { readOnlyFileSystem } from '../log/embedded/read-only-file-system.ts'
import type { Log, LogRecord } from '../log/log.ts'
import { coveredFromTheStart } from '../plan/coverage.ts'
import { undeclared } from '../plan/find.ts'
import { readForgotten } from '../plan/forgotten.ts'
import type { Plan } from '../plan/plan.ts'
import { type StateSource, VectorReader } from '../serve/vector-reader.ts'
import { explainValue, type ValueExplanation } from '../dataset/explain-value.ts'
import { logHistory } from '../dataset/history.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { readRejection, type RejectionRecord } from '../stream/outputs.ts'

/**
 * Opens the log of a data folder to read it, also while a running millrace writes it: what is durable by now. Throws
 * `FOLDER_WITHOUT_LOG`.
 */
export async function openReadOnlyLog(folder: string, clock: Clock = systemClock): Promise<Log> {
  const logFolder = join(folder, 'log')
  try {
    await access(logFolder)
  } catch (error) {
    throw new MillraceError('FOLDER_WITHOUT_LOG', { folder }, { cause: error })
  }
  return await openEmbeddedLog({ folder: logFolder, clock, fileSystem: readOnlyFileSystem(nodeFileSystem) })
}

export type LocatedRejection = RejectionRecord & {
  readonly outputTopic: string
  readonly outputPartition: number
  readonly outputOffset: number
}

export type RejectionKind = 'refused' | 'late'

/** How many there are, and the newest of them by the time of their records, oldest first. */
export async function newestRejections(
  log: Log,
  kind: RejectionKind,
  countMax: number,
): Promise<{ total: number; newest: readonly LocatedRejection[] }> {
  const topic = topicOf(kind)
  let total = 0
  const found: LocatedRejection[] = []
  for (let partition = 0; partition < partitionsOf(log, topic); partition++) {
    const start = log.start(topic, partition)
    const end = log.end(topic, partition)
    total += end - start
    // A partition is in order of time but for what producers' clocks make of it: its last ones are its newest ones.
    let offset = Math.max(start, end - countMax)
    while (offset < end) {
      const records = await log.read(topic, partition, offset, 1024 * 1024)
      found.push(...records.map((record) => located(record, { topic, partition })))
      offset = records.at(-1)!.offset + 1
    }
  }
  // Stable: records of one millisecond stay in order of partition and offset.
  found.sort((a, b) => a.timestampMs - b.timestampMs)
  return { total, newest: countMax === 0 ? [] : found.slice(-countMax) }
}

/** The rejection at a place of its output topic; null when there is none. */
export async function rejectionAt(
  log: Log,
  kind: RejectionKind,
  { partition, offset }: { partition: number; offset: number },
): Promise<LocatedRejection | null> {
  const topic = topicOf(kind)
  if (partition >= partitionsOf(log, topic)) return null
  if (offset < log.start(topic, partition) || offset >= log.end(topic, partition)) return null
  const [record] = await log.read(topic, partition, offset, 1)
  return located(record!, { topic, partition })
}

function topicOf(kind: RejectionKind): string {
  return kind === 'late' ? lateTopic : deadLetterTopic
}

function partitionsOf(log: Log, topic: string): number {
  return log.topics().find((one) => one.topic === topic)?.partitions ?? 0
}

function located(record: LogRecord, { topic, partition }: { topic: string; partition: number }): LocatedRejection {
  return { ...readRejection(record), outputTopic: topic, outputPartition: partition, outputOffset: record.offset }
}

export type ExplainOptions = {
  readonly plan: Plan
  readonly log: Log
  readonly view: string
  readonly feature: string
  readonly keys: Readonly<Record<string, unknown>>
  readonly asOf: number
  readonly clock?: Clock
  readonly onRead?: (count: number) => void
}

/** For a reader that is only asked about names and keys. */
const noStates: StateSource = {
  state: () => null,
  prefix: () => [],
  historyPrefix: () => null,
  coveredFrom: () => coveredFromTheStart,
}

/** One value of one entity, recomputed from the log with every event behind it. `view` may be a service of the view. */
export async function explainFromLog(options: ExplainOptions): Promise<ValueExplanation> {
  const { plan, log, asOf, feature, clock = systemClock, onRead = () => undefined } = options
  const reader = new VectorReader(plan, noStates, clock)
  const views = reader.viewsOf(options.view)
  const view = views.find(({ features }) => features.some(({ name }) => name === feature))
  if (view === undefined) {
    const declared = views.flatMap(({ features }) => features.map(({ name }) => name))
    throw undeclared(`feature of ${options.view}`, feature, declared)
  }
  const key = reader.keyOf(view, options.keys)
  const stream = plan.streams.find(({ name }) => name === view.stream)!
  const forgotten = await readForgotten(log)
  return await explainValue({ view, feature, key, asOf, forgotten }, logHistory(stream, log, { clock }), onRead)
}
