// Goal: one pass over doubles gives what adding inputs one by one gives, and the generated pass what the ordinary one
// gives. Method: every aggregation over every type of column, in nested windows, against a fold over the events.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AggregationSpec } from '../../../src/kernel/aggregation.ts'
import type { KernelEvent } from '../../../src/kernel/event-columns.ts'
import { applyEvent, makeKeyState, readableFrom } from '../../../src/kernel/key-state.ts'
import type { ViewProgram, WindowProgram } from '../../../src/kernel/program.ts'
import { readAggregates } from '../../../src/kernel/read-state.ts'
import { interpretScan, scannerOf } from '../../../src/kernel/scan/scan.ts'
import { tallySize } from '../../../src/kernel/scan/scan-plan.ts'
import { windowEnd, windowStart } from '../../../src/kernel/window.ts'
import { lawOptions } from '../../base/law-options.ts'
import { makeProgram } from '../programs.ts'
import { addedTo, allSpecs, describeSpec, inputOf } from '../specs.ts'

const windows: readonly WindowProgram[] = [
  { lengthMs: 3_000_000_000_000, offsetMs: 0 },
  { lengthMs: 3, offsetMs: 0 },
  { lengthMs: null, offsetMs: 0 },
  { lengthMs: 7, offsetMs: 2 },
  { lengthMs: 5, offsetMs: 2, hopMs: 4 },
  { lengthMs: 9, offsetMs: 2, hopMs: 4 },
]

function programOf(spec: AggregationSpec): ViewProgram {
  const slots = windows.flatMap((_, window) => [
    { spec, window },
    { spec, window, filter: 1 },
    { spec: { name: 'count' } as const, window: (window + 1) % windows.length },
  ])
  return makeProgram({ columns: [inputOf(spec), { kind: 'boolean' }], windows, slots, horizonMs: 4_200_000_000_000 })
}

for (const spec of allSpecs) {
  test(`a key is read as its events say: ${describeSpec(spec)}`, () => {
    const program = programOf(spec)
    assert.equal(scannerOf(program).isGenerated, true)
    const events = fc.tuple(addedTo(spec, 24), fc.array(fc.constantFrom(true, false, null), { minLength: 24 }))
    fc.assert(
      fc.property(events, fc.nat(24), ([added, flags], extraAt) => {
        const all = added.map(({ input, order }, index): KernelEvent => {
          return { ...order, values: [flags[index] === null && index % 2 === 0 ? null : input, flags[index]!] }
        })
        checkReads(program, all, extraAt)
      }),
      lawOptions(40),
    )
  })
}

/** The event at `extraAt` is only tried out. */
function checkReads(program: ViewProgram, all: readonly KernelEvent[], extraAt: number): void {
  const state = makeKeyState(program)
  const extra = all[extraAt] ?? null
  for (const event of all) if (event !== extra) applyEvent(program, state, event)
  const newest = Math.max(-1, ...all.map(({ ts }) => ts))
  const { plan, scan } = scannerOf(program)
  for (const t of new Set(all.flatMap(({ ts }) => [ts, ts + 1, ts + 3, ts + 6]).concat(newest + 12))) {
    if (t < readableFrom(program, { newest })) continue
    const expected = program.aggregates.map((_, index) => naiveValue(program, index, { all, t }))
    assert.deepEqual(readAggregates(program, state, t, extra), expected, `as of ${t}`)
    const { slab, slot } = state
    const bounds = Int32Array.from(
      windows.flatMap((window) =>
        [windowStart(window, t), windowEnd(window, t)].map((at) => slab.lowerBound(slot, at)),
      ),
    )
    const found = [scan, interpretScan(plan)].map((one) => {
      const out = new Float64Array(program.aggregates.length * tallySize)
      one(slab.rows(slot), slab.rowsAt(slot), bounds, out)
      return out
    })
    assert.deepEqual(found[0], found[1], 'generated and ordinary find the same')
  }
}

function naiveValue(
  program: ViewProgram,
  index: number,
  { all, t }: { readonly all: readonly KernelEvent[]; readonly t: number },
): unknown {
  const { aggregation, input, filter, window, takesNull } = program.aggregates[index]!
  const { lengthMs, offsetMs, hopMs = 1 } = windows[window]!
  const from = lengthMs === null ? -1 : Math.floor((t - offsetMs - lengthMs) / hopMs) * hopMs
  let state = aggregation.zero()
  for (const event of all) {
    if (event.ts < from || event.ts >= t - offsetMs || (filter !== null && event.values[filter] !== true)) continue
    const value = input === null ? null : event.values[input]!
    if (value !== null || input === null || takesNull) state = aggregation.add(state, value, event)
  }
  return aggregation.value(state)
}

test('most aggregations over numbers are read in one pass', () => {
  const tallied = allSpecs.filter((spec) => scannerOf(programOf(spec)).plan.tallied[0] === true)
  const names = new Set(tallied.map(({ name }) => name))
  assert.deepEqual([...names].sort(), ['count', 'max', 'mean', 'min', 'stddev', 'sum', 'variance'])
})

test('where no code may be generated, the ordinary pass reads the same', () => {
  const url = (path: string): string => new URL(`../../../${path}`, import.meta.url).href
  const script = `
    import { applyEvent, makeKeyState } from '${url('src/kernel/key-state.ts')}'
    import { readAggregates } from '${url('src/kernel/read-state.ts')}'
    import { scannerOf } from '${url('src/kernel/scan/scan.ts')}'
    import { event, makeProgram } from '${url('test/kernel/programs.ts')}'
    const type = { kind: 'int' }
    const slots = ['sum', 'mean', 'min', 'max'].map((name) => ({ spec: { name, input: type }, window: 0 }))
    const program = makeProgram({ columns: [type], windows: [{ lengthMs: 3, offsetMs: 0 }], slots, horizonMs: 0 })
    const state = makeKeyState(program)
    for (const ts of [5, 6, 7]) applyEvent(program, state, event(ts, 0, ts * 2))
    console.log(JSON.stringify([scannerOf(program).isGenerated, readAggregates(program, state, 9)]))`
  const flags = ['--conditions=millrace-source', '--input-type=module-typescript', '--eval', script]
  const run = (flag: readonly string[]): unknown =>
    JSON.parse(execFileSync(process.execPath, [...flag, ...flags], { encoding: 'utf8' }))
  assert.deepEqual(run([]), [true, [26, 13, 12, 14]])
  assert.deepEqual(run(['--disallow-code-generation-from-strings']), [false, [26, 13, 12, 14]])
})
