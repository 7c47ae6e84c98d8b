import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { openEmbeddedLog } from '../log/embedded/embedded-log.ts'
import { nodeFileSystem } from '../log/embedded/node-file-system.ts'
import { readOnlyFileSystem } from '../log/embedded/read-only-file-system.ts'
import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import { VectorReader } from '../serve/vector-reader.ts'
import { explainValue, type ValueExplanation } from '../dataset/explain-value.ts'
import { logHistory } from '../dataset/history.ts'
import { deadLetterTopic, lateTopic, readRejection, type RejectionRecord } from '../stream/outputs.ts'

/** Opens the log of a data folder to read it, also while a running millrace writes it: what is durable by now. */
export async function openReadOnlyLog(folder: string, clock: Clock = systemClock): Promise<Log> {
  return await openEmbeddedLog({ folder: join(folder, 'log'), clock, fileSystem: readOnlyFileSystem(nodeFileSystem) })
}

export type LocatedRejection = RejectionRecord & {
  readonly outputTopic: string
  readonly outputPartition: number
  readonly outputOffset: number
}

/** Dead letters, or late events, oldest first within each partition. */
export async function* readRejections(log: Log, kind: 'refused' | 'late'): AsyncGenerator<LocatedRejection> {
  const topic = kind === 'late' ? lateTopic : deadLetterTopic
  const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    let offset = log.start(topic, partition)
    while (offset < log.end(topic, partition)) {
      const records = await log.read(topic, partition, offset, 1024 * 1024)
      for (const record of records) {
        yield { ...readRejection(record), outputTopic: topic, outputPartition: partition, outputOffset: record.offset }
      }
      offset = records.at(-1)!.offset + 1
    }
  }
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

/** One value of one entity, recomputed from the log with every event behind it. */
export async function explainFromLog(options: ExplainOptions): Promise<ValueExplanation> {
  const { plan, log, asOf, clock = systemClock, onRead = () => undefined } = options
  const reader = new VectorReader(plan, { state: () => null, prefix: () => [] }, clock)
  const [view] = reader.viewsOf(options.view)
  const key = reader.keyOf(view!, options.keys)
  const stream = plan.streams.find(({ name }) => name === view!.stream)!
  const request = { view: view!, feature: options.feature, key, asOf }
  return await explainValue(request, logHistory(stream, log, { clock }), onRead)
}
