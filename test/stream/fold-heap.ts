// Prints how many bytes of heap an event takes while windows slide over known keys. Run with `--expose-gc` and a young
// generation so large that nothing is collected in between: then what the heap grows by is what was allocated.
import { PerformanceObserver } from 'node:perf_hooks'
import { type FoldBatch, hashKey } from '../../src/kernel/fold-batch.ts'
import type { ViewPlan } from '../../src/plan/plan.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { StateTable } from '../../src/stream/state-table.ts'
import { makeProgram } from '../kernel/programs.ts'

const events = 1_000_000
const warmUp = 300_000
const keys = Array.from({ length: 1_000 }, (_, index) => Buffer.from(`key ${index}`))
const texts = Array.from({ length: 50 }, (_, index) => `text ${index}`)
const size = 500

const program = makeProgram({
  columns: [{ kind: 'decimal', scale: 2 }, { kind: 'boolean' }, { kind: 'string' }],
  windows: [{ lengthMs: 40_000, offsetMs: 0 }],
  slots: [{ spec: { name: 'sum', input: { kind: 'decimal', scale: 2 } }, window: 0, filter: 1 }],
  horizonMs: 1_000,
})
const view = { program, fingerprint: '0123456789abcdef' } as unknown as ViewPlan
const table = new StateTable(view, openMemoryOnlineStore(), { keysMax: 10_000 })
const strings: (string | null)[] = Array.from({ length: size }, () => null)
const numbers = [new Float64Array(size), new Float64Array(size)] as const
const batch: FoldBatch = {
  size,
  keyBytes: new Uint8Array(size * 16),
  keyStarts: new Uint32Array(size + 1),
  keyHashes: new Uint32Array(size),
  ts: new Float64Array(size),
  ties: null,
  columns: [...numbers, strings],
}

function fold(count: number, from: number): void {
  for (let next = from; next < from + count; next += size) {
    for (let index = 0; index < size; index++) {
      const event = next + index
      const key = keys[(event * 7919) % keys.length]!
      const start = batch.keyStarts[index]!
      for (let at = 0; at < key.length; at++) batch.keyBytes[start + at] = key[at]!
      batch.keyStarts[index + 1] = start + key.length
      batch.keyHashes[index] = hashKey(key)
      // One in eight is late, so that rows are inserted too.
      batch.ts[index] = 1_000_000 + event - (event % 8 === 0 ? 2_500 : 0)
      numbers[0][index] = event % 1_999
      numbers[1][index] = event % 2
      strings[index] = texts[event % texts.length]!
    }
    table.applyBatch(batch)
  }
}

let collections = 0
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ['gc'] })

fold(warmUp, 0)
globalThis.gc!()
// The observer hears of it later.
await new Promise((resolve) => setTimeout(resolve, 100))
collections = 0
const before = process.memoryUsage().heapUsed
fold(events, warmUp)
const after = process.memoryUsage().heapUsed
await new Promise((resolve) => setTimeout(resolve, 100))
console.log(JSON.stringify({ bytesPerEvent: (after - before) / events, collections, tableBytes: table.bytes }))
