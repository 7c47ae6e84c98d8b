import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { missingForKafka } from '../scripts/kafka/jars.ts'
import { Contender, doneOf, type Sample } from './contender.ts'
import { type Bench, type BenchContext, type BenchRow, figure, median, sampled } from './harness.ts'
import { customers, KafkaPlace, topic } from './kafka-place.ts'
import { kafkaStreamsCommand, kafkaStreamsVersion, type PeerOrder } from './peers/kafka-streams.ts'
import type { KafkaMillOrder } from './workloads/kafka-mill.ts'

type Start = {
  readonly brokers: string
  readonly folder: string
}

type Entrant = {
  readonly what: string
  readonly side: 'ours' | 'peer'
  readonly note: string
  readonly command: (place: Start) => Promise<readonly string[]>
}

const bench: Bench = {
  name: 'kafka',
  describe: `Payments in Kafka to count, sum and mean per customer and per terminal over 5 minutes, 1 hour and 24 hours, against Kafka Streams ${kafkaStreamsVersion} on the same broker`,
  peers: ['@platformatic/kafka'],
  lacks: missingForKafka,
  run: measure,
}

export const { name, describe, peers, lacks, run } = bench

/** Both sides write a checkpoint, or commit, this often. */
const commitMs = 1_000

const entrants: readonly Entrant[] = [
  {
    what: 'reading alone',
    side: 'ours',
    note: 'the reader of millrace, checksums checked, nothing done with the records',
    command: ({ brokers }) => Promise.resolve(nodeCommand('kafka-read.ts', { brokers, topic })),
  },
  {
    what: 'millrace',
    side: 'ours',
    note: 'one process; states are served, nothing is emitted',
    command: (start) => Promise.resolve(millCommand(start, { emit: false })),
  },
  {
    what: 'millrace, emitting',
    side: 'ours',
    note: 'one process; the values after each event go to a topic per view too, twice as many records as events',
    command: (start) => Promise.resolve(millCommand(start, { emit: true })),
  },
  {
    what: 'Kafka Streams, Processor API',
    side: 'peer',
    note: 'the same algorithm, one thread, RocksDB; the values after each event go to a topic per view',
    command: (start) => peerCommand(start, { topology: 'exact' }),
  },
  {
    what: 'Kafka Streams, sliding windows',
    side: 'peer',
    note: 'its DSL, one thread, RocksDB; stopped after the time allowed, and so measured with windows less full',
    command: (start) => peerCommand(start, { topology: 'sliding' }),
  },
]

function nodeCommand(script: string, order: object): string[] {
  const file = join(import.meta.dirname, 'workloads', script)
  return [process.execPath, '--conditions=millrace-source', file, JSON.stringify(order)]
}

function millCommand({ brokers, folder }: Start, more: Pick<KafkaMillOrder, 'emit'>): string[] {
  return nodeCommand('kafka-mill.ts', { brokers, folder, topic, checkpointMs: commitMs, ...more })
}

async function peerCommand(
  { brokers, folder }: Start,
  more: Pick<PeerOrder, 'topology'> & Partial<PeerOrder>,
): Promise<readonly string[]> {
  const fixed = { brokers, name: 'peer', input: topic, output: 'results', state: folder }
  return await kafkaStreamsCommand({ ...fixed, threads: 1, commitMs, lingerMs: 100, ...more })
}

async function measure(context: BenchContext): Promise<readonly BenchRow[]> {
  const events = context.quick ? 60_000 : 600_000
  const place = new KafkaPlace(context.folder)
  try {
    const filling = await place.fill(events, spanMs)
    const turns = new Map<Entrant, Turn[]>(entrants.map((entrant) => [entrant, []]))
    for (let run = 0; run < context.runs; run++) {
      for (const entrant of entrants) {
        const turn = await take(context, { entrant, place, events, run })
        turns.get(entrant)!.push(turn)
        context.log(
          `${run + 1}/${context.runs}  ${entrant.what}: ${figure(turn.perSecond)} events/s, ${figure(turn.warmCpu)} s CPU per million`,
        )
      }
    }
    return [
      { what: 'events', value: events, unit: 'events', note: `${customers} customers, 30 hours of event time` },
      { what: 'generator', value: filling.generator, unit: 's CPU per million events', note: 'beforehand' },
      { what: 'broker, filled', value: filling.broker, unit: 's CPU per million events', note: 'beforehand' },
      ...rowsOf(turns),
    ]
  } finally {
    await place.stop()
  }
}

const spanMs = 30 * 3_600_000

type Turn = {
  readonly perSecond: number
  readonly cpu: number
  readonly warmCpu: number
  readonly brokerCpu: number
  readonly memoryMiB: number
}

type Occasion = {
  readonly entrant: Entrant
  readonly place: KafkaPlace
  readonly events: number
  readonly run: number
}

/** One contender alone with a broker: from the first event that counts to the last. */
async function take(context: BenchContext, { entrant, place, events, run }: Occasion): Promise<Turn> {
  await place.restart()
  const folder = join(context.folder, `${entrants.indexOf(entrant)}-${run}`)
  await mkdir(folder)
  const contender = Contender.start(await entrant.command({ brokers: place.brokers, folder }), place.pid)
  try {
    const whole = await contender.reaches(events, context.quick ? 20_000 : 40_000)
    const last = contender.samples.length - 1
    // What remains to be written and committed belongs to it.
    if (whole) await sleep(2 * commitMs)
    const turn = turnOf(contender.samples, last)
    return { ...turn, memoryMiB: contender.memoryBytes / 2 ** 20 }
  } finally {
    await contender.stop()
    await place.stop()
  }
}

/** CPU is counted to the end of the samples, time until the last event counted. */
function turnOf(samples: readonly Sample[], last: number): Omit<Turn, 'memoryMiB'> {
  const first = samples.findIndex((sample) => Math.max(sample.customers, sample.terminals) > 0)
  const from = samples[Math.max(0, first - 1)]!
  const to = samples[last]!
  const done = doneOf(to)
  const half = samples.find((sample) => doneOf(sample) >= done / 2)!
  const end = samples.at(-1)!
  return {
    perSecond: done / ((to.ms - from.ms) / 1_000),
    cpu: ((end.cpuSeconds - from.cpuSeconds) / done) * 1e6,
    warmCpu: ((end.cpuSeconds - half.cpuSeconds) / (done - doneOf(half))) * 1e6,
    brokerCpu: ((end.brokerCpuSeconds - from.brokerCpuSeconds) / done) * 1e6,
  }
}

function rowsOf(turns: ReadonlyMap<Entrant, readonly Turn[]>): BenchRow[] {
  return [...turns].flatMap(([{ what, side, note }, list]): BenchRow[] => [
    {
      ...sampled(
        what,
        'events/s',
        list.map(({ perSecond }) => perSecond),
      ),
      side,
      note,
    },
    {
      ...sampled(
        `${what}, second half`,
        's CPU per million events',
        list.map(({ warmCpu }) => warmCpu),
      ),
      side,
    },
    {
      ...sampled(
        `${what}, from the first event`,
        's CPU per million events',
        list.map(({ cpu }) => cpu),
      ),
    },
    {
      ...sampled(
        `broker beside ${what}`,
        's CPU per million events',
        list.map(({ brokerCpu }) => brokerCpu),
      ),
    },
    {
      ...sampled(
        `${what}, peak memory`,
        'MiB',
        list.map(({ memoryMiB }) => memoryMiB),
      ),
    },
  ])
}

void median
