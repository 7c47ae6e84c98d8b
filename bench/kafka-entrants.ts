import { join } from 'node:path'
import { topic } from './kafka-place.ts'
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
  /** Whether it is also measured at a steady load, and killed. */
  readonly live: boolean
  /** How long it may take, in seconds; then it is measured by what it has done. */
  readonly seconds: number
  readonly note: string
  readonly command: (start: Start) => Promise<readonly string[]>
}

export const entrants: readonly Entrant[] = [
  {
    what: 'reading alone',
    side: 'ours',
    values: null,
    live: false,
    seconds: 300,
    note: 'the reader of millrace, checksums checked, nothing done with the records',
    command: ({ brokers }) => Promise.resolve(nodeCommand('kafka-read.ts', { brokers, topic })),
  },
  {
    what: 'millrace',
    side: 'ours',
    values: 'served',
    live: true,
    seconds: 300,
    note: 'one process; states are served, nothing is emitted',
    command: (start) => Promise.resolve(millCommand(start, { emit: false })),
  },
  {
    what: 'millrace, emitting',
    side: 'ours',
    values: 'served',
    live: false,
    seconds: 300,
    note: 'one process; the values after each event go to a topic per view too, two records an event',
    command: (start) => Promise.resolve(millCommand(start, { emit: true })),
  },
  {
    what: 'Kafka Streams, Processor API',
    side: 'peer',
    values: 'published',
    live: true,
    seconds: 300,
    note: 'the same algorithm, one thread; the values after each event go to a topic per view, two records an event',
    command: (start) => peerCommand(start, { topology: 'exact', threads: 1 }),
  },
  {
    what: 'Kafka Streams, sliding windows',
    side: 'peer',
    values: null,
    live: false,
    seconds: 40,
    note: 'its DSL, one thread; what is not done in the time allowed is left out: the first events, of emptier windows',
    command: (start) => peerCommand(start, { topology: 'sliding', threads: 1 }),
  },
]

function nodeCommand(script: string, order: object): string[] {
  const file = join(import.meta.dirname, 'workloads', script)
  return [process.execPath, '--conditions=millrace-source', file, JSON.stringify(order)]
}

function millCommand({ brokers, folder, commitMs }: Start, more: Pick<KafkaMillOrder, 'emit'>): string[] {
  return nodeCommand('kafka-mill.ts', { brokers, folder, topic, checkpointMs: commitMs, ...more })
}

async function peerCommand(
  { brokers, folder, commitMs }: Start,
  more: Pick<PeerOrder, 'topology' | 'threads'>,
): Promise<readonly string[]> {
  const fixed = { brokers, name: 'peer', input: topic, output: 'results', state: folder }
  // Lingers for batches where it catches up, and not where it has to be fresh.
  return await kafkaStreamsCommand({ ...fixed, commitMs, lingerMs: commitMs < 1_000 ? 5 : 100, ...more })
}
