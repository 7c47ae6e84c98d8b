import { join } from 'node:path'
import { decimal, entity, featureView, int, stream, string, timestamp } from 'millrace'
import { type FoldBatch, hashKey } from '../src/kernel/fold-batch.ts'
import { stateBounds } from '../src/kernel/state-bounds.ts'
import { readAggregates } from '../src/kernel/read-state.ts'
import { compile } from '../src/plan/compile.ts'
import { encodeKey } from '../src/schema/key-codec.ts'
import { openEmbeddedOnlineStore } from '../src/store/online/embedded/embedded-online-store.ts'
import type { OnlineStore } from '../src/store/online/online-store.ts'
import { StateTable } from '../src/stream/state-table.ts'
import type { Bench, BenchContext, BenchRow } from './harness.ts'

const dayMs = 86_400_000
const startMs = Date.UTC(2026, 0, 1)

const payments = stream('payments', {
  fields: { paymentId: string(), customerId: int(), merchantId: int(), amount: decimal(2), at: timestamp('ms') },
  time: 'at',
  id: 'paymentId',
  lateness: '10m',
})
const spending = featureView('spending', {
  from: payments,
  by: entity('customer', { customerId: int() }),
  features: (on) => ({
    payments_30d: on.count({ over: '30d' }),
    amount_30d: on.sum('amount', { over: '30d' }),
    amount_mean_30d: on.mean('amount', { over: '30d' }),
    amount_max_7d: on.max('amount', { over: '7d' }),
    merchants_30d: on.distinctCount('merchantId', { over: '30d', cap: 1_000 }),
    amount_mean_1d: on.mean('amount', { over: '1d' }),
  }),
})

const bench: Bench = {
  name: 'hot-key',
  describe: 'One key with 10 M events inside its window: exact reads, heap, and what it costs the other keys',
  async run(context) {
    const hotEvents = context.quick ? 300_000 : 10_000_000
    const store = await openEmbeddedOnlineStore({ folder: join(context.folder, 'store') })
    const hot = new HotKey(store, hotEvents)
    const rows: BenchRow[] = []
    const add = (row: BenchRow): void => {
      rows.push(row)
      context.log(`${row.what}: ${row.value.toPrecision(4)} ${row.unit}`)
    }
    const heapBefore = heapBytes()
    // A warm compiler, and keys that are known.
    await hot.fold({ events: 400_000, ofHot: 0 })
    const alone: number[] = []
    const beside: number[] = []
    for (let run = 0; run < context.runs; run++) alone.push(await hot.fold({ events: 200_000, ofHot: 0 }))
    await hot.checkpoint()
    const heapOfOthers = heapBytes()
    const fill = await hot.fold({ events: hotEvents, ofHot: 1 })
    add({ what: `fill, ${hotEvents} events of one key`, value: fill, unit: 'events/s', note: 'fold and checkpoints' })
    await hot.checkpoint()
    const { headBytes, pagesBytes } = stateBounds(hot.view.program)
    add({ what: 'heap of the hot key', value: heapBytes() - heapOfOthers, unit: 'bytes', note: 'after a checkpoint' })
    add({
      what: 'its bound, as `plan` prints it',
      value: headBytes + pagesBytes,
      unit: 'bytes',
      note: 'head, and pages',
    })
    for (let run = 0; run < context.runs; run++) {
      // One event in ten is the hot key's; of these one in twenty comes up to ten minutes late.
      beside.push(await hot.fold({ events: 200_000, ofHot: 0.1 }))
      alone.push(await hot.fold({ events: 200_000, ofHot: 0 }))
    }
    add({ what: 'events of other keys', value: median(alone), unit: 'events/s', samples: alone })
    add({ what: 'with a tenth for the hot key', value: median(beside), unit: 'events/s', samples: beside })
    for (const row of hot.reads(context)) add(row)
    add({ what: 'heap, hot key and others', value: heapBytes() - heapBefore, unit: 'bytes', note: 'after collection' })
    add({ what: 'table', value: hot.table.bytes, unit: 'bytes' })
    await store.close()
    return rows
  },
}

export const { name, describe, run } = bench

const batchSize = 512
const otherKeys = 100_000
const perCheckpoint = 100_000

class HotKey {
  readonly view = compile([spending]).views[0]!
  readonly table: StateTable
  readonly hotKey = encodeKey(['int'], [0])
  readonly #store: OnlineStore
  readonly #keys = Array.from({ length: otherKeys }, (_, index) => encodeKey(['int'], [index + 1]))
  readonly #hotStepMs: number
  readonly #batch: FoldBatch = {
    size: 0,
    keyBytes: new Uint8Array(batchSize * 16),
    keyStarts: new Uint32Array(batchSize + 1),
    keyHashes: new Uint32Array(batchSize),
    ts: new Float64Array(batchSize),
    ties: null,
    columns: [new Float64Array(batchSize), new Float64Array(batchSize)],
  }
  #hotMs = startMs
  #number = 0

  constructor(store: OnlineStore, hotEvents: number) {
    this.#store = store
    this.table = new StateTable(this.view, store, { keysMax: 1_000_000 })
    // A little less than the window, so that everything stays inside it.
    this.#hotStepMs = (29 * dayMs) / hotEvents
  }

  /** Folds, with checkpoints, and gives events per second. */
  async fold({ events, ofHot }: { events: number; ofHot: number }): Promise<number> {
    const startedAt = performance.now()
    let sinceCheckpoint = 0
    for (let done = 0; done < events; done += batchSize) {
      this.#fill(ofHot)
      this.table.applyBatch(this.#batch)
      sinceCheckpoint += batchSize
      if (sinceCheckpoint < perCheckpoint) continue
      sinceCheckpoint = 0
      await this.checkpoint()
    }
    return (events * 1_000) / (performance.now() - startedAt)
  }

  async checkpoint(): Promise<void> {
    await this.#store.write(this.table.takeChanges())
    this.table.evict()
  }

  #fill(ofHot: number): void {
    const batch = this.#batch
    const [amounts, merchants] = batch.columns as [Float64Array, Float64Array]
    batch.size = batchSize
    for (let index = 0; index < batchSize; index++) {
      const number = this.#number++
      const random = (Math.imul(number, 0x9e37_79b1) >>> 0) / 2 ** 32
      const isHot = (number % 1_000) / 1_000 < ofHot
      const key = isHot ? this.hotKey : this.#keys[Math.floor(random * otherKeys)]!
      const start = batch.keyStarts[index]!
      batch.keyBytes.set(key, start)
      batch.keyStarts[index + 1] = start + key.length
      batch.keyHashes[index] = hashKey(key)
      if (isHot) this.#hotMs += this.#hotStepMs
      const late = isHot && number % 20 === 0 ? Math.floor(random * 600_000) : 0
      batch.ts[index] = Math.max(startMs, Math.floor(this.#hotMs) - late)
      amounts[index] = 100 + Math.floor(random * 90_000)
      merchants[index] = Math.floor(random * 700)
    }
  }

  /** All features, as of instants whose windows begin anywhere among the events: mostly at pages that nobody read. */
  reads({ quick }: BenchContext): BenchRow[] {
    const reads = quick ? 500 : 5_000
    const state = this.table.read(this.hotKey)!
    const measure = (at: (read: number) => number): Reads => {
      const took: number[] = []
      const before = process.threadCpuUsage()
      for (let read = 0; read < reads; read++) {
        const t = state.newest + 1 + at(read)
        const startedAt = performance.now()
        readAggregates(this.view.program, state, t)
        took.push((performance.now() - startedAt) * 1_000)
      }
      const { user, system } = process.threadCpuUsage(before)
      return { took, cpu: (user + system) / reads }
    }
    const now = measure((read) => read % 1_000)
    const anywhere = measure((read) => Math.floor(((Math.imul(read, 0x85eb_ca6b) >>> 0) / 2 ** 32) * 28 * dayMs))
    const note = `6 features, ${state.count} events`
    return [
      ...percentiles(now, 'read now', note),
      ...percentiles(anywhere, 'read at any edge', `${note}; windows begin at pages that nobody read lately`),
    ]
  }
}

/** Microseconds of each read by the clock; and of the processor on average, which it counts in ticks of 4 ms. */
type Reads = { readonly took: readonly number[]; readonly cpu: number }

function percentiles({ took, cpu }: Reads, what: string, note: string): BenchRow[] {
  const rows = [0.5, 0.9, 0.99].map((share): BenchRow => {
    return { what: `${what}, p${share * 100}`, value: percentile(took, share), unit: 'us', note }
  })
  const idle = 'what others on the machine do does not count'
  return [...rows, { what: `${what}, processor time, mean`, value: cpu, unit: 'us', note: idle }]
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1]!
}

function heapBytes(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
