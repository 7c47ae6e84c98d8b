import fc from 'fast-check'
import type { AggregationSpec, ColumnType, ColumnValue, EventOrder } from '../../src/kernel/aggregation.ts'
import { anyFloat } from './exact/oracle.ts'

/** An input and where its event stands. */
export type Added = { readonly input: ColumnValue; readonly order: EventOrder }

/** The specs to test for each aggregation. The compiler asks for an entry as soon as there is a new one. */
const specsOf: Readonly<Record<AggregationSpec['name'], (input: ColumnType) => readonly AggregationSpec[]>> = {
  count: () => [{ name: 'count' }],
  sum: (input) => (numeric(input) ? [{ name: 'sum', input }] : []),
  mean: (input) => (numeric(input) ? [{ name: 'mean', input }] : []),
  variance: (input) => moments('variance', input),
  stddev: (input) => moments('stddev', input),
  min: (input) => [{ name: 'min', input }],
  max: (input) => [{ name: 'max', input }],
  first: (input) => [{ name: 'first', input }],
  last: (input) => [{ name: 'last', input }],
  lastK: (input) => [1, 3, 1_000].map((k) => ({ name: 'lastK', input, k })),
  distinctCount: (input) => [null, 1, 4].map((cap) => ({ name: 'distinctCount', input, cap })),
  latest: (input) => [{ name: 'latest', input }],
}

const columnTypes: readonly ColumnType[] = [
  { kind: 'string' },
  { kind: 'int' },
  { kind: 'float' },
  { kind: 'boolean' },
  { kind: 'timestamp' },
  { kind: 'decimal', scale: 2 },
  { kind: 'decimal', scale: 15 },
]

/** Every aggregation over every type of column it is for. */
export const allSpecs: readonly AggregationSpec[] = everySpec()

export function describeSpec(spec: AggregationSpec): string {
  if (spec.name === 'count') return 'count'
  const type = spec.input.kind === 'decimal' ? `decimal(${spec.input.scale})` : spec.input.kind
  const option =
    'of' in spec ? `, ${spec.of}` : 'k' in spec ? `, k ${spec.k}` : 'cap' in spec ? `, cap ${spec.cap}` : ''
  return `${spec.name}(${type}${option})`
}

/** The column that a spec reads; `count` may get anything. */
export function inputOf(spec: AggregationSpec): ColumnType {
  return spec.name === 'count' ? { kind: 'int' } : spec.input
}

/** Sets of events with inputs for the spec: equal times are common, equal orders never occur. */
export function addedTo(spec: AggregationSpec, maxLength = 12): fc.Arbitrary<Added[]> {
  const value = valueOf(inputOf(spec))
  const input = spec.name === 'latest' ? fc.option(value, { freq: 4 }) : value
  const ties: fc.Arbitrary<string | number>[] = [fc.nat(50), fc.maxSafeNat(), text]
  return fc.constantFrom(...ties.map(orderWith)).chain((order) =>
    fc.uniqueArray(fc.record({ input, order }), {
      maxLength,
      selector: (added) => `${added.order.ts} ${added.order.tie}`,
    }),
  )
}

function orderWith(tie: fc.Arbitrary<string | number>): fc.Arbitrary<EventOrder> {
  return fc.record({ ts: fc.oneof(fc.nat(4), fc.nat(4_102_444_799_999)), tie })
}

const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'ab', '\uffff', '😀', '😁'),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.string({ unit: 'binary', maxLength: 3 }),
)

/** Each favours a few values, so that equal ones are common too. */
function valueOf(type: ColumnType): fc.Arbitrary<Exclude<ColumnValue, null>> {
  switch (type.kind) {
    case 'string':
      return text
    case 'int':
    case 'decimal':
      return fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer(), fc.maxSafeInteger())
    case 'float':
      return anyFloat
    case 'boolean':
      return fc.boolean()
    case 'timestamp':
      return fc.oneof(fc.nat(3), fc.nat(4_102_444_799_999))
  }
}

function moments(name: 'variance' | 'stddev', input: ColumnType): AggregationSpec[] {
  if (!numeric(input)) return []
  return (['sample', 'population'] as const).map((of) => ({ name, input, of }))
}

function numeric(type: ColumnType): boolean {
  return type.kind !== 'string'
}

/** `count` has no input and would come up once for each type. */
function everySpec(): AggregationSpec[] {
  const specs = Object.values(specsOf).flatMap((of) => columnTypes.flatMap(of))
  return [...new Map(specs.map((spec) => [describeSpec(spec), spec])).values()]
}
