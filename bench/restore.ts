import { readdirSync, statSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { millrace, type Mill } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, elapsedMs, median, sampled } from './harness.ts'
import { fraudFeatures, makePayments, payments } from './workloads/payments.ts'

const bench: Bench = {
  name: 'restore',
  describe:
    'Back in service after a stop: from the store of the last checkpoint, and without it from the raw log, until everything is folded again',
  async run(context) {
    const events = context.quick ? 50_000 : 500_000
    const customers = events / 10
    const folder = join(context.folder, 'data')
    await fill(folder, events, customers)
    const storeBytes = folderBytes(join(folder, 'store'))
    const logBytes = folderBytes(folder) - storeBytes
    const fromStore = await repeated(context, () => openMs(folder, customers))
    const fromLog = await repeated(context, async () => {
      const copy = join(context.folder, 'copy')
      await cp(folder, copy, { recursive: true })
      await rm(join(copy, 'store'), { recursive: true })
      const opened = await openMs(copy, customers)
      await rm(copy, { recursive: true })
      return opened
    })
    const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
    return [
      {
        ...sampled(
          'from the store, open',
          'ms',
          fromStore.map(({ openMs: ms }) => ms),
        ),
        note: `${mb(storeBytes)}; states stay on disk until they are needed`,
      },
      {
        ...sampled(
          'from the store, every customer read once',
          'ms',
          fromStore.map(({ readMs }) => readMs),
        ),
        note: `${customers} keys with 10 events each`,
      },
      { ...rateOf('from the store', storeBytes / 1e6, fromStore), note: 'open and every customer read once' },
      {
        ...sampled(
          'from the raw log, open and caught up',
          'ms',
          fromLog.map(({ openMs: ms }) => ms),
        ),
        note: `${mb(logBytes)}, ${events} events; decode, verdicts, fold, checkpoints`,
      },
      { ...rateOf('from the raw log', logBytes / 1e6, fromLog), note: 'as above' },
    ]
  },
}

export const { name, describe, run } = bench

type Opened = { readonly openMs: number; readonly readMs: number }

async function repeated({ runs, log }: BenchContext, measure: () => Promise<Opened>): Promise<readonly Opened[]> {
  const samples: Opened[] = []
  for (let run = -1; run < runs; run++) {
    const opened = await measure()
    log(`open ${Math.round(opened.openMs)} ms, reads ${Math.round(opened.readMs)} ms`)
    if (run >= 0) samples.push(opened)
  }
  return samples
}

function rateOf(what: string, megabytes: number, samples: readonly Opened[]): BenchRow {
  const seconds = median(samples.map(({ openMs: ms, readMs }) => ms + readMs)) / 1_000
  return { what: `${what}, rate`, value: megabytes / seconds, unit: 'MB/s' }
}

async function fill(folder: string, events: number, customers: number): Promise<void> {
  const mill = await millrace({ definitions: [fraudFeatures], folder, keysMax: customers })
  const bodies = makePayments({ events, customers, keys: 'uniform', stepMs: 100 })
  for (let from = 0; from < events; from += 10_000) await mill.ingest(payments.name, bodies.slice(from, from + 10_000))
  await mill.caughtUp()
  await mill.close()
}

async function openMs(folder: string, customers: number): Promise<Opened> {
  let mill: Mill
  const ms = await elapsedMs(async () => {
    mill = await millrace({ definitions: [fraudFeatures], folder, keysMax: customers })
    await mill.caughtUp()
  })
  const readMs = await elapsedMs(() => {
    for (let customerId = 0; customerId < customers; customerId++) {
      mill.read('spending', { customerId }, { asOf: 'latest' })
    }
  })
  await mill!.close()
  return { openMs: ms, readMs }
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(join(folder, file)))
    .filter((stats) => stats.isFile())
    .reduce((sum, { blocks }) => sum + blocks * 512, 0)
}
