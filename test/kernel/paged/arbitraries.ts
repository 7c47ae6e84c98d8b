import fc from 'fast-check'
import type { AggregationSpec, ColumnType, ColumnValue } from '../../../src/kernel/aggregation.ts'
import type { KernelEvent } from '../../../src/kernel/event-columns.ts'
import type { ViewProgram } from '../../../src/kernel/program.ts'
import { makeProgram } from '../programs.ts'

const specs: readonly ((input: ColumnType) => AggregationSpec)[] = [
  () => ({ name: 'count' }),
  (input) => ({ name: 'sum', input }),
  (input) => ({ name: 'mean', input }),
  (input) => ({ name: 'variance', input, of: 'sample' }),
  (input) => ({ name: 'min', input }),
  (input) => ({ name: 'max', input }),
  (input) => ({ name: 'distinctCount', input, cap: null }),
  (input) => ({ name: 'distinctCount', input, cap: 5 }),
]
const orderedSpecs: typeof specs = [
  (input) => ({ name: 'first', input }),
  (input) => ({ name: 'last', input }),
  (input) => ({ name: 'lastK', input, k: 3 }),
  (input) => ({ name: 'lastK', input, k: 100 }),
  (input) => ({ name: 'latest', input }),
]

/** Long enough that a few make partial aggregates too large for a reference, and some hundred for a node. */
const text = fc.nat(30).map((value) => (value < 10 ? `${value}` : `${value}`.repeat(300)))

function valueOf(type: ColumnType): fc.Arbitrary<ColumnValue> {
  switch (type.kind) {
    case 'string':
      return fc.option(text, { freq: 8 })
    case 'boolean':
      return fc.option(fc.boolean(), { freq: 8 })
    case 'float':
      return fc.option(
        fc.double({ min: -1e200, max: 1e200, noNaN: true }).map((value) => value + 0),
        { freq: 8 },
      )
    default:
      return fc.option(fc.oneof(fc.integer({ min: -2, max: 2 }), fc.maxSafeInteger()), { freq: 8 })
  }
}

/** Column 0 is the input, column 1 the filter of some. */
export const anyProgram: fc.Arbitrary<ViewProgram> = fc
  .record({
    input: fc.constantFrom<ColumnType[]>(
      { kind: 'int' },
      { kind: 'int' },
      { kind: 'float' },
      { kind: 'string' },
      { kind: 'decimal', scale: 2 },
    ),
    ordered: fc.boolean(),
    slots: fc.array(fc.record({ spec: fc.nat(100), window: fc.nat(1), filter: fc.boolean() }), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ input, ordered, slots }) =>
    makeProgram({
      columns: [input, { kind: 'boolean' }],
      windows: [
        { lengthMs: 1_000, offsetMs: 0 },
        { lengthMs: null, offsetMs: 0 },
      ],
      slots: slots.map(({ spec, window, filter }) => {
        const allowed = [...specs, ...(ordered ? orderedSpecs : [])].filter(
          (make) => input.kind !== 'string' || !['sum', 'mean', 'variance'].includes(make(input).name),
        )
        const made = allowed[spec % allowed.length]!(input)
        return { spec: made, window, ...(filter ? { filter: 1 } : {}) }
      }),
      horizonMs: 0,
    }),
  )

/** `ts` is how much later than the one before it comes: often not at all. Without ties equal events are common. */
export function anyEvent(program: ViewProgram): fc.Arbitrary<KernelEvent> {
  const values = fc.tuple(...program.columns.map(valueOf))
  return fc.record({
    ts: fc.oneof(fc.constantFrom(0, 0, 0, 1), fc.nat(40)),
    tie: program.keepsTies ? fc.maxSafeNat() : fc.constant(0),
    values: fc.oneof(
      { weight: 2, arbitrary: fc.constant(program.columns.map(() => null)) },
      { weight: 1, arbitrary: values },
    ),
  })
}
