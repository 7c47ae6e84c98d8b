/** Holds what a cluster has come to against the naive model of its raw events. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runKafkaTool } from '../../../scripts/kafka/tool.ts'
import { partitionFor } from '../../../src/base/murmur2.ts'
import { kafka, type Mill, millrace } from '../../../src/index.ts'
import type { Log, LogRecord } from '../../../src/log/log.ts'
import { deadLetterTopic, featureEventsPrefix, lateTopic, processedEventsTopic } from '../../../src/plan/topics.ts'
import { encodeKey } from '../../../src/schema/key-codec.ts'
import { readProcessed } from '../../../src/stream/cluster/processed-record.ts'
import type { EngineCounts } from '../../../src/stream/engine-types.ts'
import { coordinatesIn } from '../../../src/stream/output-headers.ts'
import { makeEvent } from '../../integration/kill-stream.ts'
import { assertPerEvent } from '../../oracle/matches-feature-events.ts'
import { assertMatchesLog, readPartition } from '../../oracle/matches-log.ts'
import { evaluate, type NaiveEvent, naiveKey, naiveVerdicts } from '../../oracle/naive.ts'
import { definitionsOn } from './definitions.ts'
import type { Acknowledged } from './feeder.ts'
import type { Member } from './member.ts'
import type { Status, WorkerOptions } from './worker.ts'

export type Verified = {
  readonly records: number
  readonly values: number
  readonly deadLetters: number
  readonly late: number
  /** Emitted values, each compared with the running value of its key. */
  readonly emitted: number
  /** Records of `processed-events`, and those among them that were sent before. */
  readonly processed: number
  readonly sentAgain: number
  /** Rejections and emitted values that an owner wrote once more which had been stopped before writing. */
  readonly repeated: number
}

export type VerifyOptions = {
  readonly brokers: string
  readonly folder: string
  readonly seed: number
  readonly members: readonly Member[]
  readonly worker: Omit<WorkerOptions, 'folder' | 'brokers'>
  readonly acknowledged: readonly Acknowledged[]
}

const instantsMs = [0, 1, 30_000, 240_000]
const settledMs = 60_000

/** Everything was sent, and nothing harms any more. Throws at the first difference. */
export async function verify(options: VerifyOptions): Promise<Verified> {
  const { worker, members } = options
  const statuses = await settle(members, worker)
  const follower = await openOwn(options, { serve: 'all' })
  try {
    await follower.caughtUp()
    for (const { topic } of follower.log.topics()) await follower.log.refresh(topic)
    const log = withoutRepeats(follower.log)
    const { views, emitting } = definitionsOn(worker.topic)
    await assertAcknowledged(log, options)
    const engine = { counts: sumOf(statuses), state: follower.engine.state.bind(follower.engine) }
    const tally = await assertMatchesLog({ plan: follower.plan, views, log, engine }, instantsMs)
    await assertMembersRead(follower, members, worker)
    const processed = await assertProcessed(log, worker)
    const { records: emitted } = await assertPerEvent({ log, view: emitting, plan: null })
    const transactions = await runKafkaTool('TransactionsCommand', ['--bootstrap-server', options.brokers, 'list'])
    assert.doesNotMatch(transactions, /Ongoing|Prepare/)
    const { records, values, deadLetters, late } = tally
    return { records, values, deadLetters, late, emitted, ...processed, repeated: log.repeated }
  } finally {
    await follower.close()
  }
}

/** The same by a process that has nothing but the state topics. The members have ended. */
export async function verifyRestored(options: VerifyOptions): Promise<void> {
  const damages: string[] = []
  const mill = await openOwn(options, { ingest: 'all', compute: 'all' }, damages)
  try {
    await mill.caughtUp()
    await mill.engine.checkpoint()
    for (const { topic } of mill.log.topics()) await mill.log.refresh(topic)
    const { views } = definitionsOn(options.worker.topic)
    const { plan, engine } = mill
    await assertMatchesLog({ plan, engine, views, log: withoutRepeats(mill.log) }, instantsMs)
    assert.deepEqual(damages, [])
  } finally {
    await mill.close()
  }
}

async function openOwn(
  { brokers, folder, worker }: VerifyOptions,
  cluster: { serve: 'all' } | { ingest: 'all'; compute: 'all' },
  damages: string[] = [],
): Promise<Mill> {
  const own = mkdtempSync(join(folder, 'verify-'))
  const mill = await millrace({
    folder: own,
    definitions: definitionsOn(worker.topic).views,
    log: kafka(brokers, { replication: worker.replication, namespace: worker.namespace }),
    cluster: { ...cluster, partitions: worker.partitions },
    partitions: worker.sources,
    observer: { damage: ({ fault }) => damages.push(fault.message) },
  })
  const close = mill.close.bind(mill)
  mill.close = async () => {
    await close()
    rmSync(own, { recursive: true, force: true })
  }
  return mill
}

/** Until each partition is one member's and nothing is open. A group may still be moving what somebody lost. */
async function settle(members: readonly Member[], worker: VerifyOptions['worker']): Promise<readonly Status[]> {
  const expected = allPartitions(worker).toSorted()
  return await untilPasses(async () => {
    const statuses = (await Promise.all(members.map((member) => member.ask({ ask: 'settle' })))) as Status[]
    for (const { halted, fault } of statuses) assert.deepEqual({ halted, fault }, { halted: [], fault: null })
    assert.deepEqual(statuses.flatMap((status) => status.owned).toSorted(), expected, 'each partition is one member’s')
    return statuses
  })
}

async function untilPasses<Result>(attempt: () => Promise<Result>): Promise<Result> {
  const endsMs = performance.now() + settledMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endsMs) throw error
      await sleep(500)
    }
  }
}

/** What is to be shared, as `topic/partition`. */
export function allPartitions({
  topic,
  sources,
  partitions,
}: Pick<WorkerOptions, 'topic' | 'sources' | 'partitions'>): string[] {
  const of = (name: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${name}/${at}`)
  const entities = new Set(definitionsOn(topic).views.map(({ entity }) => entity.name))
  return [...of(topic, sources), ...[...entities].flatMap((entity) => of(processedEventsTopic(entity), partitions))]
}

/** Everything acknowledged lies in the log, where it was said to lie, byte for byte. */
async function assertAcknowledged(log: Log, { acknowledged, seed, worker }: VerifyOptions): Promise<void> {
  const records = await Promise.all(
    Array.from({ length: worker.sources }, (_, partition) => readPartition(log, worker.topic, partition)),
  )
  for (const [index, partition, offset] of acknowledged) {
    const value = records[partition]![offset]?.value
    assert.ok(value !== undefined && value !== null, `event ${index} was acknowledged and is not in the log`)
    assert.equal(Buffer.compare(value, makeEvent(seed, index)), 0, `event ${index} is in the log with other bytes`)
  }
  const inLog = records.reduce((sum, { length }) => sum + length, 0)
  assert.equal(inLog, acknowledged.length, 'nothing else is in the raw log')
}

/** Each key is read at the member that has it, and gives what the follower gives. */
async function assertMembersRead(
  follower: Mill,
  members: readonly Member[],
  { topic, sources }: VerifyOptions['worker'],
): Promise<void> {
  const { views } = definitionsOn(topic)
  const accepted = await acceptedOf(follower.log, { topic, sources })
  const newest = Math.max(...accepted.map(({ ts }) => ts))
  for (const view of views) {
    const names = Object.keys(view.entity.keys)
    const texts = new Set(accepted.map(({ row }) => JSON.stringify(naiveKey(view, row))))
    const keys = [...texts]
      .map((text) => JSON.parse(text) as unknown[] | null)
      .filter((key) => key !== null)
      .map((key) => Object.fromEntries(names.map((name, at) => [name, key[at]])))
    for (const asOf of [newest + 1, newest - 20_000]) {
      const ask = async (member: Member): Promise<unknown[]> =>
        (await member.ask({ ask: 'read', view: view.name, keys, asOf })) as unknown[]
      const answers = await untilPasses(async () => {
        const all = await Promise.all(members.map(ask))
        for (const [at, key] of keys.entries()) {
          const found = all.map((answer) => answer[at]).filter((one) => typeof one === 'object')
          assert.equal(found.length, 1, `${view.name} ${JSON.stringify(key)} is read at one member`)
        }
        return all
      })
      for (const [at, key] of keys.entries()) {
        const found = answers.map((answer) => answer[at]).find((one) => typeof one === 'object')
        assert.deepEqual(found, follower.read(view.name, key, { asOf }), `${view.name} ${JSON.stringify(key)}`)
      }
    }
  }
}

async function acceptedOf(log: Log, { topic, sources }: { topic: string; sources: number }): Promise<NaiveEvent[]> {
  const { stream } = definitionsOn(topic)
  const accepted: NaiveEvent[] = []
  for (let partition = 0; partition < sources; partition++) {
    const records = (await readPartition(log, topic, partition)).map((record) => ({ ...record, partition }))
    accepted.push(...naiveVerdicts(stream, records).accepted)
  }
  return accepted
}

/**
 * In each partition of `processed-events`, what does not repeat what was there before is what was accepted of each
 * source partition and has a key there: no more, no less, in its order.
 */
async function assertProcessed(
  log: Log,
  { topic, sources, partitions }: VerifyOptions['worker'],
): Promise<{ processed: number; sentAgain: number }> {
  const { views } = definitionsOn(topic)
  const accepted = await acceptedOf(log, { topic, sources })
  let [processed, sentAgain] = [0, 0]
  for (const entity of new Set(views.map((view) => view.entity.name))) {
    const own = views.filter((view) => view.entity.name === entity)
    const isIn = ({ row }: NaiveEvent, partition: number): boolean =>
      own.some((view) => {
        const passes = view.where === null || evaluate(view.where, (leaf) => row[(leaf as { name: string }).name]!)
        const key = passes === true ? naiveKey(view, row) : null
        const kinds = Object.keys(view.entity.keys).map((name) => view.from.fields[view.keys[name]!]!.kind)
        return key !== null && partitionFor(encodeKey(kinds, key as string[]), partitions) === partition
      })
    for (let partition = 0; partition < partitions; partition++) {
      const next = Array.from({ length: sources }, () => 0)
      const found = Array.from({ length: sources }, (): string[] => [])
      const records = await readPartition(log, processedEventsTopic(entity), partition)
      for (const record of records) {
        const { source, offset, since, watermark } = readProcessed(record, processedEventsTopic(entity))
        const from = Number(source.split(' ')[2])
        const end = watermark === null ? offset + 1 : offset
        processed += 1
        if (end <= next[from]! || since > next[from]!) {
          sentAgain += 1
          continue
        }
        next[from] = end
        if (watermark === null) found[from]!.push(String(offset))
      }
      for (let from = 0; from < sources; from++) {
        const expected = accepted.filter((event) => event.partition === from && isIn(event, partition))
        const what = `${processedEventsTopic(entity)}/${partition} from ${topic}/${from}`
        assert.deepEqual(
          found[from],
          expected.map(({ offset }) => String(offset)),
          what,
        )
        assert.equal(next[from], log.end(topic, from), `${what} is complete`)
      }
    }
  }
  return { processed, sentAgain }
}

/**
 * The log with each rejection and each emitted value once. An owner that was stopped between a look whether there is
 * another and its append writes them once more beside its successor, with the same contents: known, and counted.
 */
function withoutRepeats(log: Log): Log & { readonly repeated: number } {
  const seen = new Map<string, { readonly place: string; readonly text: string }>()
  let repeated = 0
  const isFirst = (topic: string, partition: number, record: LogRecord): boolean => {
    const { stream, topic: source, partition: from, offset } = coordinatesIn(record)
    const name = `${topic} ${stream} ${source}/${from}@${offset}`
    const place = `${partition}@${record.offset}`
    const text = Buffer.from(record.value ?? []).toString('latin1')
    const before = seen.get(name)
    if (before === undefined) seen.set(name, { place, text })
    if (before === undefined || before.place === place) return true
    assert.equal(text, before.text, `${name} is repeated with other contents`)
    repeated += 1
    return false
  }
  const read: Log['read'] = async (topic, partition, offset, bytesMax) => {
    const found = await log.read(topic, partition, offset, bytesMax)
    const isOutput = topic === deadLetterTopic || topic === lateTopic || topic.startsWith(featureEventsPrefix)
    return isOutput ? { ...found, records: found.records.filter((one) => isFirst(topic, partition, one)) } : found
  }
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'repeated') return repeated
      if (name === 'read') return read
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  }) as Log & { readonly repeated: number }
}

function sumOf(statuses: readonly Status[]): EngineCounts {
  const views: Record<string, EngineCounts['views'][string]> = {}
  for (const { counts } of statuses) {
    for (const [name, own] of Object.entries(counts.views)) {
      const sum = views[name] ?? { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
      views[name] = {
        applied: sum.applied + own.applied,
        filtered: sum.filtered + own.filtered,
        unkeyed: sum.unkeyed + own.unkeyed,
        forgotten: sum.forgotten + own.forgotten,
        before: sum.before + own.before,
      }
    }
  }
  return { sources: statuses.flatMap(({ counts }) => counts.sources), views }
}
