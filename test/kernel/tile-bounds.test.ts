// Goal: what a plan says that a key takes up holds, for a key with many events and values that make partials large.
// Method: full tiles of every aggregation, in memory measured as growth of the heap over many keys in one slab.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { AggregationSpec } from '../../src/kernel/aggregation.ts'
import type { ViewProgram } from '../../src/kernel/program.ts'
import { Slab } from '../../src/kernel/slab/slab.ts'
import { KeyState } from '../../src/kernel/key-state.ts'
import { encodeState } from '../../src/kernel/state-codec.ts'
import { stateBounds } from '../../src/kernel/state-bounds.ts'
import { tileBounds } from '../../src/kernel/tile-bounds.ts'
import { event, makeProgram } from './programs.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const hourMs = 3_600_000
const specsOf = (kind: 'float' | 'int'): readonly AggregationSpec[] => [
  { name: 'count' },
  { name: 'sum', input: { kind } },
  { name: 'mean', input: { kind } },
  { name: 'stddev', input: { kind }, of: 'sample' },
  { name: 'min', input: { kind } },
  { name: 'first', input: { kind } },
  { name: 'lastK', input: { kind }, k: 5 },
  { name: 'distinctCount', input: { kind }, cap: 20 },
]
// Numbers of far apart magnitudes, whose exact sum is long; and integers whose sum leaves the safe ones.
const valueOf = {
  float: (index: number): number => (index % 2 === 0 ? 1 : -1) * (1 + index / 7) * 2 ** ((index * 37) % 900),
  int: (index: number): number => Number.MAX_SAFE_INTEGER - index,
}

function hotKeys(program: ViewProgram, kind: 'float' | 'int', keys: number): KeyState[] {
  const slab = new Slab(program)
  const perHour = 8
  return Array.from({ length: keys }, (_, key) => {
    const state = new KeyState(slab, slab.allocate(Uint8Array.of(key)))
    for (let index = 0; index < 60 * perHour; index++) {
      slab.stage(event(hourMs + (index * hourMs) / perHour, index, valueOf[kind](index)))
      slab.apply(state.slot)
    }
    return state
  })
}

for (const kind of ['float', 'int'] as const) {
  for (const spec of specsOf(kind)) {
    test(`${spec.name} of ${kind}: a hot key stays within what the plan says`, () => {
      const program = makeProgram({
        columns: [{ kind }],
        windows: [
          { lengthMs: 48 * hourMs, offsetMs: 0, hopMs: hourMs },
          { lengthMs: null, offsetMs: 0 },
        ],
        slots: [
          { spec, window: 0 },
          { spec, window: 1 },
        ],
        horizonMs: hourMs / 60,
      })
      const { hops, memoryBytes, diskBytes } = tileBounds(program)!
      const { rowsBytes, eventDiskBytes } = stateBounds(program)
      assert.deepEqual(hops, [{ hopMs: hourMs, countMax: 49 }])
      hotKeys(program, kind, 2)
      collect()
      const before = process.memoryUsage()
      const states = hotKeys(program, kind, 100)
      const sizes = states.map((state) => encodeState(program, state).length)
      collect()
      const after = process.memoryUsage()
      const grown = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / states.length
      for (const { slab, slot } of states) assert.equal(slab.tiles.of(slot)!.count, 49)
      const stored = Math.max(...sizes) - states[0]!.count * eventDiskBytes
      assert.ok(stored <= diskBytes, `${stored} bytes in the store, at most ${diskBytes}`)
      const memory = Math.round(grown) - rowsBytes
      assert.ok(memory <= memoryBytes, `${memory} bytes in memory, at most ${memoryBytes}`)
    })
  }
}
