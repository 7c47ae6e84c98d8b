import type { Log } from '../../src/log/log.ts'
import { deadLetterTopic, lateTopic } from '../../src/plan/topics.ts'
import { readRejection } from '../../src/stream/outputs.ts'
import { type Ledger, recordsOnDisk, sameBytes } from './ledger.ts'
import type { Rejected } from './oracle.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { violation } from './violation.ts'

/** An output, by what it says of itself. */
export type FoundOutput = {
  readonly topic: string
  readonly name: string
  /** Retention took its source. A life that was lost may have judged it, and no later one ever did. */
  readonly sourceGone: boolean
}

const topicOf = { refused: deadLetterTopic, late: lateTopic } as const

/**
 * Every output that is durable has a durable source, whose bytes it carries, and is there once. `log` is a process's,
 * just opened or at rest.
 */
export function auditOutputs(disk: SimulatedDisk, log: Log, ledger: Ledger): FoundOutput[] {
  const found: FoundOutput[] = []
  const names = new Set<string>()
  for (const topic of [deadLetterTopic, lateTopic]) {
    const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
    for (let partition = 0; partition < partitions; partition++) {
      const range = { start: log.start(topic, partition), end: log.end(topic, partition) }
      for (const record of recordsOnDisk(disk, { topic, partition }, range)) {
        const { stream, topic: from, partition: at, offset, raw, timestampMs } = readRejection(record)
        const name = `${stream} ${from}/${at}@${offset}`
        const source = ledger.records({ topic: from, partition: at })[offset]
        if (source === undefined) violation('no output without its durable source', `${topic}: ${name}`)
        if (!sameBytes(source.value, raw) || source.timestampMs !== timestampMs) {
          violation('an output carries the bytes of its source', `${topic}: ${name}`)
        }
        if (names.has(`${topic} ${name}`)) violation('each output is there once', `${topic}: ${name}`)
        names.add(`${topic} ${name}`)
        found.push({ topic, name, sourceGone: offset < log.start(from, at) })
      }
    }
  }
  return found
}

/**
 * `required` must be there. `allowed` may be besides: rejected by definitions that are not served any more, or by a
 * history that was lost since, whose watermark was another one.
 */
export type ExpectedOutputs = { readonly required: readonly Rejected[]; readonly allowed: readonly Rejected[] }

export function checkOutputs(found: readonly FoundOutput[], { required, allowed }: ExpectedOutputs): void {
  const names = new Set(found.map(({ topic, name }) => `${topic} ${name}`))
  const lost = required.map(describeRejected).find((name) => !names.has(name))
  if (lost !== undefined) violation('every rejected record is in its output topic', lost)
  const known = new Set([...required, ...allowed].map(describeRejected))
  const strange = found.find(({ topic, name, sourceGone }) => !sourceGone && !known.has(`${topic} ${name}`))
  if (strange !== undefined) {
    violation('nothing is in an output topic that was not rejected', `${strange.topic} ${strange.name}`)
  }
}

export function describeRejected({ kind, stream, topic, partition, record }: Rejected): string {
  return `${topicOf[kind]} ${stream} ${topic}/${partition}@${record.offset}`
}
