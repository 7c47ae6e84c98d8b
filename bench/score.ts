import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { float, type Mill, millrace, model } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, figure } from './harness.ts'
import { cumulativeChart, type Line } from './plot.ts'
import { fraudFeatures, payments } from './workloads/payments.ts'

const partitions = 4
const everyMs = 5
const customers = 10_000

const bench: Bench = {
  name: 'score',
  describe:
    'From an event sent to its durable prediction, at 1, 5 and 10 thousand events a second, against the same events without a model, until they are folded',
  async run(context) {
    const rows: BenchRow[] = []
    const lines: Line[] = []
    for (const rate of [1_000, 5_000, 10_000]) {
      const scored = await measure(context, { rate, isScored: true })
      const folded = await measure(context, { rate, isScored: false })
      const name = `${rate / 1_000} k/s`
      for (const percent of [50, 99]) {
        const [ours, peer] = [scored, folded].map(({ samples }) => quantile(samples, percent)) as [number, number]
        rows.push(
          {
            what: `event to prediction, ${name}, p${percent}`,
            value: ours,
            unit: 'ms',
            note: `${scored.samples.length} events`,
          },
          { what: `event to fold, no model, ${name}, p${percent}`, value: peer, unit: 'ms' },
          { what: `prediction : fold, ${name}, p${percent}`, value: ours / peer, unit: 'times longer' },
        )
      }
      rows.push(
        {
          what: `reached, scored, ${name}`,
          value: scored.perSecond,
          unit: 'events/s',
          note: 'until the last was there',
        },
        { what: `process, scored, ${name}`, value: scored.cores, unit: 'cores', note: 'sending and looking included' },
        {
          what: `process, no model, ${name}`,
          value: folded.cores,
          unit: 'cores',
          note: 'sending and looking included',
        },
      )
      lines.push({ ...cumulativeChart('', '', scored.samples).lines[0]!, name })
      context.log(
        `${name}: p50 ${figure(quantile(scored.samples, 50))} ms, p99 ${figure(quantile(scored.samples, 99))} ms`,
      )
    }
    const { x, y } = cumulativeChart('', 'ms from event to prediction', [])
    context.chart({ kind: 'lines', title: 'Events with their prediction', x, y, lines })
    return rows
  },
}

export const { name, describe, run } = bench

/** A stand-in of a scoring function that costs about a microsecond: what is measured is the way there and back. */
const risk = model('risk', {
  version: 1,
  input: fraudFeatures,
  output: { score: float() },
  missing: 'pass',
  score: { on: payments },
  from: ({ payments_1h: count, amount_mean_1d: mean, fraud_rate_7d: rate }) => ({
    score: 1 / (1 + Math.exp(-(count * 0.1 + Number(mean) * 0.01 + Number(rate) * 4 - 3))),
  }),
})

type Measured = { readonly samples: readonly number[]; readonly perSecond: number; readonly cores: number }

async function measure(
  context: BenchContext,
  { rate, isScored }: { rate: number; isScored: boolean },
): Promise<Measured> {
  const folder = join(context.folder, `${rate}-${isScored}`)
  const mill = await millrace({ definitions: [fraudFeatures], models: isScored ? [risk] : [], folder, partitions })
  try {
    await send(mill, 0, 500)
    await mill.caughtUp()
    const watch = isScored ? watchPredictions(mill) : watchFolds(mill)
    const seconds = context.quick ? 2 : 2 + 2 * context.runs
    const perTick = (rate * everyMs) / 1_000
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
    const total = rate * seconds
    let sent = 0
    const sending: Promise<void>[] = []
    while (sent < total) {
      const due = Math.min(total, Math.floor((performance.now() - startedAt) / everyMs) * perTick + perTick)
      if (due > sent) sending.push(send(mill, sent + 1_000, due - sent))
      sent = due
      await sleep(everyMs)
    }
    await Promise.all(sending)
    const samples = await watch(total)
    const elapsed = (performance.now() - startedAt) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    // The first second brings everything to its pace.
    return { samples: samples.slice(rate), perSecond: total / elapsed, cores: (user + system) / 1e6 / elapsed }
  } finally {
    await mill.close()
  }
}

async function send(mill: Mill, from: number, count: number): Promise<void> {
  const at = Date.now()
  await mill.send(
    payments,
    Array.from({ length: count }, (_, index) => ({
      paymentId: `s${from + index}`,
      customerId: ((from + index) * 7_919) % customers,
      terminalId: ((from + index) * 104_729) % 1_000,
      amount: 12.5,
      fraud: false,
      at,
    })),
  )
}

/** From `at`, which is when an event is sent, to when a reader of the topic has its prediction. */
function watchPredictions(mill: Mill): (total: number) => Promise<number[]> {
  const samples: number[] = []
  const stop = new AbortController()
  const { log } = mill
  const followers = Array.from({ length: partitions }, async (_, partition) => {
    for (let offset = log.end('predictions', partition); !stop.signal.aborted; ) {
      await log.waitFor('predictions', partition, offset, stop.signal)
      const { records, next } = await log.read('predictions', partition, offset, 1024 * 1024)
      const now = Date.now()
      for (const { value } of records) {
        const { event_time: at } = JSON.parse(Buffer.from(value!).toString()) as { event_time: string }
        samples.push(now - Date.parse(at))
      }
      offset = next
    }
  })
  return async (total) => {
    while (samples.length < total) await sleep(5)
    stop.abort()
    await Promise.all(followers)
    return samples
  }
}

/** The same until the record is folded, looked at every millisecond or so. */
function watchFolds(mill: Mill): (total: number) => Promise<number[]> {
  const samples: number[] = []
  const { log } = mill
  const next = mill.engine.prefix(payments.name)
  let isDone = false
  const following = (async () => {
    while (!isDone) {
      const prefix = mill.engine.prefix(payments.name)
      const now = Date.now()
      for (const [partition, end] of prefix.entries()) {
        while (next[partition]! < end) {
          const { records } = await log.read(payments.topic, partition, next[partition]!, 1024 * 1024)
          const own = records.filter(({ offset }) => offset < end)
          for (const { timestampMs } of own) samples.push(now - timestampMs)
          next[partition] = own.at(-1)!.offset + 1
        }
      }
      await sleep(1)
    }
  })()
  return async (total) => {
    while (samples.length < total) await sleep(5)
    isDone = true
    await following
    return samples
  }
}

function quantile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return Math.max(0.5, sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!)
}
