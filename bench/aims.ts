import type { BenchRecord, BenchRow } from './harness.ts'
import { figure } from './harness.ts'

/** One of the numbers to aim for, and where it is measured. */
export type Aim = {
  readonly what: string
  readonly floor: string
  readonly aim: string
  readonly bench: string
  /** Picks the figures, by what the benchmark calls them. */
  readonly rows: RegExp
  /** Said while there is no such benchmark. */
  readonly missing?: string
}

export const aims: readonly Aim[] = [
  {
    what: 'Decode, verdict and fold of JSON events, 2 entities, 4 windows, 100 k keys, one core',
    floor: '400 k events/s',
    aim: '800 k events/s',
    bench: 'fold',
    rows: /100 k keys/,
  },
  {
    what: 'HTTP to durable in the log',
    floor: '10 k events/s single, 100 k batched',
    aim: '20 k and 200 k',
    bench: 'ingest',
    rows: /^HTTP to durable/,
  },
  {
    what: 'From an event sent to a served vector that counts it, at half load',
    floor: 'p50 100 ms, p95 500 ms, p99 1,000 ms',
    aim: 'p99 100 ms',
    bench: 'freshness',
    rows: /^freshness, half/,
  },
  {
    what: 'HTTP read, 1 entity x 50 features',
    floor: '0.7 of node:http sending the same bytes; p99 3 ms at half load',
    aim: 'p99 1 ms at a tenth',
    bench: 'get',
    rows: /^HTTP.*(1 entity x 50|1 x 50)/,
  },
  { what: 'In-process read', floor: 'p50 10 us', aim: 'p50 3 us', bench: 'get', rows: /^in process/ },
  {
    what: 'Training set from file to file, 12 exact windows, one thread each',
    floor: '2 times as fast as DuckDB',
    aim: '4 times',
    bench: 'sweep',
    rows: /millrace train|values that differ/,
  },
  {
    what: 'Point in time: 1 M labels x 10 M events x 2 windows',
    floor: '2 s',
    aim: '1 s',
    bench: 'point-in-time',
    rows: /./,
  },
  {
    what: 'A key with 10 M events in its window, exact read',
    floor: 'p99 5 ms',
    aim: 'p99 1 ms',
    bench: 'hot-key',
    rows: /read/,
  },
  {
    what: 'Restore, by each path',
    floor: 'reported',
    aim: '1 GB of snapshot in 2 s',
    bench: 'restore',
    rows: /./,
  },
  {
    what: 'From an event to its durable prediction (boosted trees), at 1, 5 and 10 k events/s',
    floor: '10 k events/s on one core',
    aim: 'p99 12 ms at 10 k/s, as seen elsewhere',
    bench: 'predict',
    rows: /^(event to prediction|reached|CPU, an event that is scored|events without|predictions too many)/,
  },
  {
    what: 'HTTP predict, 1 entity',
    floor: 'p99 10 ms at 500 requests/s',
    aim: '0.5 of node:http sending the same bytes',
    bench: 'predict',
    rows: /^HTTP predict/,
  },
  {
    what: 'A model switched under 300 requests/s',
    floor: '0 failed, 0 answers that are not of the version they name',
    aim: 'no request waits longer for it',
    bench: 'predict',
    rows: /^switches/,
  },
  {
    what: 'Kafka to features, exactly once: CPU per million events',
    floor: 'half of Kafka Streams doing the same',
    aim: 'a quarter',
    bench: 'kafka',
    rows: /^(CPU, millrace.* : Kafka Streams, Processor API|(millrace, cluster of 1|Kafka Streams, Processor API), second half)$/,
    missing: 'it needs a Kafka broker, that is Java and Maven',
  },
]

/** Aims that no benchmark of this repository measures, and why. */
export function notHere(benches: readonly string[]): readonly { readonly what: string; readonly why: string }[] {
  return aims
    .filter(({ bench }) => !benches.includes(bench))
    .map(({ what, bench, missing }) => ({ what, why: missing ?? `there is no benchmark "${bench}" yet` }))
}

/** The figures that answer an aim; none when it was not measured. */
export function answersTo(aim: Aim, records: readonly BenchRecord[]): readonly BenchRow[] {
  return records.find(({ name }) => name === aim.bench)?.rows.filter(({ what }) => aim.rows.test(what)) ?? []
}

export function rowText({ what, value, unit, side }: BenchRow): string {
  return side === 'ratio' ? `**${figure(value)}** times ${what}` : `${what}: **${figure(value)}** ${unit}`
}
