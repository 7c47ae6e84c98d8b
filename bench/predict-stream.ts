import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Mill, millrace } from 'millrace'
import { type BenchContext, type BenchRow, compare, figure, median } from './harness.ts'
import { cumulativeChart, type Line } from './plot.ts'
import { paymentBodies, payments, scorer, scoring } from './workloads/cards.ts'

const partitions = 4
const runsMax = 3
/** How often what is due is sent: what waits for its turn counts as waiting. */
const everyMs = 2
const topic = 'predictions'

const included =
  'open loop: from the instant an event is due to when a reader of `predictions` has its record; in: its own append, synced, verdict, fold, vector, model, `model-input` and `predictions`, synced; sender and reader are in the process'

/** From an event to its durable prediction at three rates, and what a scored event costs. */
export async function measureStream(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const lines: Line[] = []
  for (const rate of [1_000, 5_000, 10_000]) {
    const runs = Array.from({ length: Math.min(context.runs, runsMax) }, (_, run) => run)
    const measured: AtRate[] = []
    for (const run of runs) measured.push(await atRate(context, rate, run))
    const name = `${rate / 1_000} k/s`
    for (const percent of [50, 99]) {
      const samples = measured.map(({ delays }) => quantile(delays, percent))
      const what = `event to prediction, ${name}, p${percent}`
      rows.push({ what, value: median(samples), unit: 'ms', samples, note: included })
    }
    const reached = measured.map(({ perSecond }) => perSecond)
    const cores = measured.map(({ cores: used }) => used)
    const note = 'until the last prediction was read; below the rate: it did not keep up'
    rows.push(
      { what: `reached, ${name}`, value: median(reached), unit: 'events/s', samples: reached, note },
      { what: `process, ${name}`, value: median(cores), unit: 'cores', samples: cores },
      {
        what: `events without prediction, ${name}`,
        value: sum(measured.map(({ missing }) => missing)),
        unit: 'events',
      },
      { what: `predictions too many, ${name}`, value: sum(measured.map(({ extra }) => extra)), unit: 'records' },
    )
    lines.push({ ...cumulativeChart('', '', percentiles(measured.at(-1)!.delays)).lines[0]!, name })
    context.log(
      `${name}: p50 ${figure(quantile(measured.at(-1)!.delays, 50))} ms, p99 ${figure(quantile(measured.at(-1)!.delays, 99))} ms`,
    )
  }
  const { x, y } = cumulativeChart('', 'ms from event to prediction', [])
  context.chart({ kind: 'lines', title: 'Events with their prediction', x, y, lines })
  return [...rows, ...(await measureCost(context))]
}

type AtRate = {
  readonly delays: readonly number[]
  readonly perSecond: number
  readonly cores: number
  readonly missing: number
  readonly extra: number
}

async function atRate(context: BenchContext, rate: number, run: number): Promise<AtRate> {
  const mill = await open(join(context.folder, `rate-${rate}-${run}`), true)
  try {
    const [warm, total] = [rate, Math.round(rate * (context.quick ? 2 : 3))]
    const readAt = new Float64Array(total)
    let [seen, extra] = [0, 0]
    const stop = new AbortController()
    const reading = follow(mill, stop.signal, (ids, now) => {
      for (const id of ids) {
        if (readAt[id] === 0) seen += 1
        else extra += 1
        readAt[id] = now
      }
    })
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
    await sendAtRate(mill, { rate, total, startedAt })
    const patience = performance.now() + 60_000
    while (seen < total && performance.now() < patience) await sleep(5)
    const elapsed = (performance.now() - startedAt) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    // What were written twice would come soon after.
    await mill.engine.checkpoint()
    stop.abort()
    await reading
    const delays = Array.from(readAt, (at, index) => at - startedAt - (index * 1_000) / rate)
    // The first second brings everything to its pace.
    const measured = delays.slice(warm).filter((_, index) => readAt[warm + index]! > 0)
    const cores = (user + system) / 1e6 / elapsed
    return { delays: measured, perSecond: total / elapsed, cores, missing: total - seen, extra }
  } finally {
    await mill.close()
  }
}

async function open(folder: string, isScored: boolean): Promise<Mill> {
  return await millrace({ definitions: [scoring], models: isScored ? [scorer] : [], folder, partitions })
}

/** Each event is due at its own instant, whatever became of those before. */
async function sendAtRate(
  mill: Mill,
  { rate, total, startedAt }: { readonly rate: number; readonly total: number; readonly startedAt: number },
): Promise<void> {
  const sending: Promise<unknown>[] = []
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate) + 1)
    if (due > sent) sending.push(mill.ingest(payments.name, paymentBodies(sent, due - sent, Date.now())))
    sent = Math.max(sent, due)
    await sleep(everyMs)
  }
  await Promise.all(sending)
}

/** Tells the numbers of the events whose predictions a reader of the topic finds. */
async function follow(
  { log }: Mill,
  signal: AbortSignal,
  told: (ids: readonly number[], now: number) => void,
): Promise<void> {
  const followers = Array.from({ length: partitions }, async (_, partition) => {
    for (let offset = log.end(topic, partition); !signal.aborted; ) {
      await log.waitFor(topic, partition, offset, signal)
      const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
      const now = performance.now()
      const ids = records.map(({ value }) => eventIn(value!))
      told(ids, now)
      offset = next
    }
  })
  await Promise.all(followers)
}

const before = '{"request_id":"s'

/** Looked for in the text: parsing each record would cost as much as part of what is measured. */
function eventIn(value: Uint8Array): number {
  const text = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 40)).toString('latin1')
  const id = Number(text.slice(before.length, text.indexOf('"', before.length)))
  if (!text.startsWith(before) || !Number.isInteger(id)) throw new Error(`not a prediction of an event: ${text}`)
  return id
}

/** CPU of the process an event, as fast as it goes, with a model and without. */
async function measureCost(context: BenchContext): Promise<BenchRow[]> {
  const total = context.quick ? 4_000 : 20_000
  let turn = 0
  const cost = (isScored: boolean) => async (): Promise<number> => {
    const mill = await open(join(context.folder, `cost-${turn++}`), isScored)
    try {
      await sendAll(mill, 0, total / 4)
      const cpu = process.cpuUsage()
      const startedAt = performance.now()
      await sendAll(mill, total / 4, total)
      const { user, system } = process.cpuUsage(cpu)
      if (isScored) rates.push(total / ((performance.now() - startedAt) / 1_000))
      return (user + system) / total
    } finally {
      await mill.close()
    }
  }
  const rates: number[] = []
  const rows = await compare(
    { ...context, runs: Math.min(context.runs, runsMax) },
    {
      contender: { what: 'CPU, an event that is scored', measure: cost(true) },
      peer: { what: 'CPU, the same event, no model', measure: cost(false) },
      unit: 'us CPU/event',
      better: 'lower',
    },
  )
  const note = 'batches of 500, until a checkpoint has all of their predictions; the whole process'
  return [
    ...rows,
    {
      what: 'scored, as fast as it goes',
      value: median(rates.slice(1)),
      unit: 'events/s',
      samples: rates.slice(1),
      note,
    },
  ]
}

/** Durable, folded and scored when it resolves: a checkpoint waits for the predictions of its events. */
async function sendAll(mill: Mill, from: number, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 500) {
    await mill.ingest(payments.name, paymentBodies(from + sent, Math.min(500, count - sent), Date.now()))
  }
  await mill.caughtUp()
  await mill.engine.checkpoint()
}

function quantile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

/** A picture shows no more of thousands of delays than of two hundred. */
function percentiles(samples: readonly number[]): number[] {
  return Array.from({ length: 200 }, (_, index) => quantile(samples, index / 2))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
