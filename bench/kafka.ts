import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { missingForKafka } from '../scripts/kafka/jars.ts'
import { Contender, type Sample, startedOf } from './contender.ts'
import { type Bench, type BenchContext, type BenchRow, figure, sampled } from './harness.ts'
import { type Entrant, entrants, type Live } from './kafka-entrants.ts'
import { LiveLoad, Probes, watchResults, watchVectors } from './kafka-live.ts'
import { customers, KafkaPlace } from './kafka-place.ts'
import { compareValues, publishedValues, servedValues, type Values } from './kafka-values.ts'
import { kafkaStreamsVersion } from './peers/kafka-streams.ts'

const bench: Bench = {
  name: 'kafka',
  describe: `Payments in Kafka to count, sum and mean per customer and per terminal over 5 minutes, 1 hour and 24 hours, against Kafka Streams ${kafkaStreamsVersion} (exactly once, RocksDB) with the same broker and payments`,
  peers: ['@platformatic/kafka'],
  lacks: missingForKafka,
  run: measure,
}

export const { name, describe, peers, lacks, run } = bench

/** Of event time: the longest window is full well before the end. */
const spanMs = 30 * 3_600_000

/** While catching up: the default of millrace. What changes often is written once. */
const catchingUpCommitMs = 1_000
/** At a steady load: each its own default. */
const liveCommitMs = { ours: 1_000, peer: 100 } as const

async function measure(context: BenchContext): Promise<readonly BenchRow[]> {
  const events = context.quick ? 20_000 : 120_000
  const place = new KafkaPlace(context.folder)
  try {
    const filling = await place.fill(events, spanMs)
    const turns = new Map<Entrant, Turn[]>(entrants.map((entrant) => [entrant, []]))
    for (let turn = 0; turn < context.runs; turn++) {
      for (const entrant of entrants) {
        const taken = await catchUp(context, { entrant, place, events })
        turns.get(entrant)!.push(taken)
        const cpu = `${figure(taken.warmCpu)} s CPU per million, ${figure(taken.cpu)} from the first`
        context.log(`${turn + 1}/${context.runs}  ${entrant.what}: ${figure(taken.perSecond)} events/s, ${cpu}`)
      }
    }
    const compared = valueRows(turns)
    const live = await measureAllLive(context)
    return [
      { what: 'payments', value: events, unit: 'events', note: `of about 250 bytes, ${customers} customers, 30 hours` },
      { what: 'generator, beforehand', value: filling.generator, unit: cpuUnit },
      { what: 'broker, filled beforehand', value: filling.broker, unit: cpuUnit },
      ...[...turns].flatMap(([entrant, list]) => turnRows(entrant, list)),
      ...ratioRows(turns),
      ...compared,
      ...live,
    ]
  } finally {
    await place.stop()
  }
}

const cpuUnit = 's CPU per million events'

type Turn = {
  readonly perSecond: number
  readonly cpu: number
  readonly warmCpu: number
  readonly brokerCpu: number
  readonly memoryMiB: number
  readonly values: Values | null
}

type Occasion = { readonly entrant: Entrant; readonly place: KafkaPlace; readonly events: number }

/** One entrant alone with a broker, from the first event that counts to the last. */
async function catchUp(context: BenchContext, { entrant, place, events }: Occasion): Promise<Turn> {
  await place.restart()
  const folder = await mkdtemp(join(context.folder, 'state-'))
  const start = { brokers: place.brokers, folder, commitMs: catchingUpCommitMs }
  const contender = new Contender(await entrant.commands(start), place.pid)
  try {
    await contender.begins()
    const whole = await contender.reaches(events, entrant.seconds * 1_000)
    const last = contender.samples.length - 1
    // What remains to be written and committed belongs to it.
    if (whole) await sleep(2 * catchingUpCommitMs)
    const used = { ...turnOf(contender.samples, last), memoryMiB: contender.memoryBytes / 2 ** 20 }
    const served = whole && entrant.values === 'served' ? await servedValues(contender.ports) : null
    await contender.stop()
    const published = whole && entrant.values === 'published'
    return { ...used, values: published ? await place.withLog((log) => publishedValues(log)) : served }
  } finally {
    await contender.stop()
    await place.stop()
  }
}

/** CPU is counted to the end of the samples, time until the last event counted. */
function turnOf(samples: readonly Sample[], last: number): Omit<Turn, 'memoryMiB' | 'values'> {
  const first = samples.findIndex((sample) => startedOf(sample) > 0)
  const from = samples[Math.max(0, first - 1)]!
  const to = samples[last]!
  const done = foldedOf(to)
  const half = samples.find((sample) => foldedOf(sample) >= done / 2)!
  const end = samples.at(-1)!
  return {
    perSecond: done / ((to.ms - from.ms) / 1_000),
    cpu: ((end.cpuSeconds - from.cpuSeconds) / done) * 1e6,
    warmCpu: ((end.cpuSeconds - half.cpuSeconds) / (done - foldedOf(half))) * 1e6,
    brokerCpu: ((end.brokerCpuSeconds - from.brokerCpuSeconds) / done) * 1e6,
  }
}

/** Events, where half of the work of an event is to count for its customer and half to count for its terminal. */
function foldedOf({ customers, terminals }: Sample): number {
  return (customers + terminals) / 2
}

function turnRows({ what, side, note }: Entrant, turns: readonly Turn[]): BenchRow[] {
  const row = (name: string, unit: string, pick: (turn: Turn) => number): BenchRow =>
    sampled(name, unit, turns.map(pick))
  return [
    { ...row(what, 'events/s', ({ perSecond }) => perSecond), side, note },
    { ...row(`${what}, second half`, cpuUnit, ({ warmCpu }) => warmCpu), side },
    row(`${what}, from the first event on`, cpuUnit, ({ cpu }) => cpu),
    row(`broker beside ${what}`, cpuUnit, ({ brokerCpu }) => brokerCpu),
    { ...row(`${what}, peak memory`, 'MiB', ({ memoryMiB }) => memoryMiB), side },
  ]
}

/** CPU of each peer over ours, turn by turn. */
function ratioRows(turns: ReadonlyMap<Entrant, readonly Turn[]>): BenchRow[] {
  const folding = [...turns].filter(([{ what }]) => what !== 'reading alone')
  const of = (side: Entrant['side']) => folding.filter(([entrant]) => entrant.side === side)
  return of('ours').flatMap(([our, ours]) =>
    of('peer').map(([peer, theirs]): BenchRow => {
      const ratios = ours.map(({ warmCpu }, index) => theirs[index]!.warmCpu / warmCpu)
      return { ...sampled(`CPU, ${our.what} : ${peer.what}`, 'times better', ratios), side: 'ratio' }
    }),
  )
}

/** Throws where values differ: who computes something else cannot be compared. */
function valueRows(turns: ReadonlyMap<Entrant, readonly Turn[]>): BenchRow[] {
  const found = [...turns].flatMap(([{ what }, list]) =>
    list.flatMap(({ values }) => (values ? [{ what, values }] : [])),
  )
  const [one, ...others] = found
  return others.map(({ what, values }) => {
    const { keys, different } = compareValues(one!.values, values)
    if (different.length > 0) throw new Error(`${what} comes to other values:\n${different.slice(0, 10).join('\n')}`)
    const note = `of ${keys} keys with ${windowValues} values each, to the last bit`
    return { what: `values of ${what} that differ from those of ${one!.what}`, value: 0, unit: 'keys', note }
  })
}

const windowValues = 9

/** With what lies there before the load begins, which is little: what catching up costs is known by then. */
async function measureAllLive(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const measured = entrants.flatMap((entrant) => (entrant.live === null ? [] : [{ entrant, live: entrant.live }]))
  for (const [before, list] of Map.groupBy(measured, ({ live }) => live.before)) {
    const place = new KafkaPlace(join(context.folder, `before-${before}`))
    await place.fill(before, spanMs)
    for (const { entrant, live } of list) rows.push(...(await measureLive(context, { entrant, live, place })))
  }
  return rows
}

/** Caught up, at a steady load; and then killed. */
async function measureLive(
  context: BenchContext,
  { entrant, live, place }: { readonly entrant: Entrant; readonly live: Live; readonly place: KafkaPlace },
): Promise<BenchRow[]> {
  await place.restart()
  const folder = await mkdtemp(join(context.folder, 'live-'))
  const start = { brokers: place.brokers, folder, commitMs: liveCommitMs[entrant.side] }
  const commands = await entrant.commands(start)
  let contender = new Contender(commands, place.pid)
  const [log, stop] = [await place.openLog(), new AbortController()]
  let load: LiveLoad | null = null
  try {
    await contender.begins()
    await contender.reaches(await place.records(log), 90_000)
    load = new LiveLoad(log, live.perSecond)
    const probes = new Probes(log)
    const watch = entrant.values === 'served' ? watchVectors(() => contender.ports, commands.length) : watchResults(log)
    const watching = watch(probes, stop.signal)
    // The first seconds bring everything to its pace.
    await sleep(3_000)
    const endAt = performance.now() + (context.quick ? 3_000 : 12_000)
    for (; performance.now() < endAt; await sleep(20)) probes.send()
    await probes.allSeen(60_000)
    const samples = probes.samples.toSorted((a, b) => a - b)
    await contender.kill()
    const killedAt = performance.now()
    probes.send()
    contender = new Contender(commands, place.pid)
    await probes.allSeen(90_000)
    const recoveryMs = performance.now() - killedAt
    load.stop()
    stop.abort()
    await watching
    context.log(`${entrant.what}: p50 ${figure(samples[samples.length >> 1]!)} ms; back after ${figure(recoveryMs)} ms`)
    return liveRows(entrant, { samples, recoveryMs, ...live })
  } finally {
    load?.stop()
    stop.abort()
    await contender.stop()
    await log.close()
    await place.stop()
  }
}

function liveRows(
  { what, side, values }: Entrant,
  of: Live & { readonly samples: readonly number[]; readonly recoveryMs: number },
): BenchRow[] {
  const { samples, recoveryMs, perSecond, before } = of
  const seen =
    values === 'served'
      ? `from the call that produces an event to a vector over HTTP that counts it, ${perSecond} events/s, checkpoint every ${liveCommitMs[side]} ms, ${before} events before`
      : `from the call that produces an event to its values in the topic of results, read committed, ${perSecond} events/s, commit every ${liveCommitMs[side]} ms, ${before} events before`
  return [
    ...[50, 95, 99].map((percent): BenchRow => {
      const value = samples[Math.min(samples.length - 1, Math.floor((samples.length * percent) / 100))]!
      return { what: `freshness, ${what}, p${percent}`, value, unit: 'ms', side, note: percent === 50 ? seen : '' }
    }),
    {
      what: `recovery, ${what}`,
      value: recoveryMs,
      unit: 'ms to be back',
      side,
      note: 'kill -9 of all its processes, started again at once, until an event sent at the kill is seen, a minute and a half at most; its folder is still there',
    },
  ]
}
