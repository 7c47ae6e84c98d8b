import { join } from 'node:path'
import { partitions, topic } from './kafka-place.ts'
import { kafkaStreamsCommand, type PeerOrder } from './peers/kafka-streams.ts'
import type { KafkaMillOrder } from './workloads/kafka-mill.ts'

export type Start = {
  readonly brokers: string
  /** For its state. */
  readonly folder: string
  /** How often it writes a checkpoint, or commits. */
  readonly commitMs: number
}

/** Who is measured. */
export type Entrant = {
  readonly what: string
  readonly side: 'ours' | 'peer'
  /** Where its values can be seen: to be compared, and to tell how fresh they are. */
  readonly values: 'served' | 'published' | null
  /** How it is measured at a steady load, and killed; null: not at all. */
  readonly live: Live | null
  /** How long it may take, in seconds; then it is measured by what it has done. */
  readonly seconds: number
  readonly note: string
  /** Of each of its processes. */
  readonly commands: (start: Start) => Promise<readonly (readonly string[])[]>
}

export type Live = {
  /** Events a second, besides those that are looked for. */
  readonly perSecond: number
  /** Events that lie there before. */
  readonly before: number
}

const whole = 300

/** Less than any of these can take. */
const steady: Live = { perSecond: 2_000, before: 20_000 }
/** Who touches every window that an event lies in takes little more, and the less the fuller they are. */
const slow: Live = { perSecond: 50, before: 500 }

export const entrants: readonly Entrant[] = [
  {
    what: 'reading alone',
    side: 'ours',
    values: null,
    live: null,
    seconds: whole,
    note: 'the reader of millrace, checksums checked, nothing done with the records',
    commands: ({ brokers }) => Promise.resolve([nodeCommand('kafka-read.ts', { brokers, topic })]),
  },
  {
    what: 'millrace, alone',
    side: 'ours',
    values: 'served',
    live: steady,
    seconds: whole,
    note: 'one process that reads the payments and folds them; states are in its folder, and served; nothing is emitted',
    commands: (start) => Promise.resolve([millCommand(start, { emit: false })]),
  },
  {
    what: 'millrace, alone, emitting',
    side: 'ours',
    values: 'served',
    live: null,
    seconds: whole,
    note: 'the same; the values after each event go to a topic per view too, two records an event',
    commands: (start) => Promise.resolve([millCommand(start, { emit: true })]),
  },
  {
    what: 'millrace, cluster of 1',
    side: 'ours',
    values: 'served',
    live: steady,
    seconds: whole,
    note: 'exactly once over the log: accepted events to processed-events of both entities, states to feature-state; served; nothing is emitted',
    commands: (start) => Promise.resolve([millCommand(start, { emit: false, cluster: { partitions } })]),
  },
  {
    what: 'millrace, cluster of 1, emitting',
    side: 'ours',
    values: 'served',
    live: steady,
    seconds: whole,
    note: 'the same; the values after each event go to a topic per view too, two records an event',
    commands: (start) => Promise.resolve([millCommand(start, { emit: true, cluster: { partitions } })]),
  },
  {
    what: 'millrace, cluster of 2',
    side: 'ours',
    values: 'served',
    live: steady,
    seconds: whole,
    note: 'as the cluster of 1, with half of the partitions each',
    commands: (start) =>
      Promise.resolve(
        shares.map((share, index) => {
          const folder = join(start.folder, String(index))
          const cluster = { partitions, ingest: share, compute: share }
          return millCommand({ ...start, folder }, { emit: false, cluster })
        }),
      ),
  },
  {
    what: 'Kafka Streams, Processor API',
    side: 'peer',
    values: 'published',
    live: steady,
    seconds: whole,
    note: 'the same algorithm, one thread; the values after each event go to a topic per view, two records an event',
    commands: (start) => peerCommand(start, { topology: 'exact', threads: 1 }),
  },
  {
    what: 'Kafka Streams, Processor API, 2 threads',
    side: 'peer',
    values: 'published',
    live: null,
    seconds: whole,
    note: 'the same with two threads in one process',
    commands: (start) => peerCommand(start, { topology: 'exact', threads: 2 }),
  },
  {
    what: 'Kafka Streams, sliding windows',
    side: 'peer',
    values: null,
    live: slow,
    seconds: 45,
    note: 'its DSL, one thread; what is not done in 45 s is left out: windows are emptier in the events before that',
    commands: (start) => peerCommand(start, { topology: 'sliding', threads: 1 }),
  },
]

/** Partitions of each process of a cluster of two. */
export const shares: readonly (readonly number[])[] = [
  [0, 2],
  [1, 3],
]

function nodeCommand(script: string, order: object): string[] {
  const file = join(import.meta.dirname, 'workloads', script)
  return [process.execPath, '--conditions=millrace-source', file, JSON.stringify(order)]
}

function millCommand(
  { brokers, folder, commitMs }: Start,
  more: Pick<KafkaMillOrder, 'emit' | 'cluster'>,
): readonly string[] {
  return nodeCommand('kafka-mill.ts', { brokers, folder, topic, checkpointMs: commitMs, ...more })
}

async function peerCommand(
  { brokers, folder, commitMs }: Start,
  more: Pick<PeerOrder, 'topology' | 'threads'>,
): Promise<readonly (readonly string[])[]> {
  const fixed = { brokers, name: 'peer', input: topic, output: 'results', state: folder }
  // Lingers for batches where it catches up, and not where it has to be fresh.
  return [await kafkaStreamsCommand({ ...fixed, commitMs, lingerMs: commitMs < 1_000 ? 5 : 100, ...more })]
}
