import { compareStrings } from '../../base/compare.ts'
import type { ColumnType, FeatureValue } from '../aggregation.ts'
import type { EventColumns } from '../event-columns.ts'
import { divideFloat, makeFloatSum } from '../exact/float-sum.ts'
import { divideInteger } from '../exact/integer-sum.ts'
import type { AggregateProgram, ViewProgram } from '../program.ts'
import { interpretAggregate } from './interpret-aggregate.ts'
import {
  type FloatPrefixes,
  floatPrefixes,
  type IntegerPrefixes,
  integerPrefixes,
  rangeExpansion,
  rangeSum,
} from './prefix-sums.ts'
import { eventColumnsOf, type Ranges, rangesOf, type SweepColumn, type SweepInput } from './sweep-input.ts'
import { type SweptColumn, sweptColumn } from './swept-column.ts'

/**
 * The value of every aggregate at every read: the training path of the kernel.
 *
 * One aggregate after the other over all keys at once, in loops over typed arrays: what is specialised is the loop, by
 * aggregation and type of column. What has no loop of its own, or adds up to more than its loop holds, goes through
 * the aggregation itself (`interpretAggregate`), which is also what all of it is checked against.
 */
export function sweepAggregates(program: ViewProgram, input: SweepInput): SweptColumn[] {
  const ranges = rangesOf(program.windows, input)
  const events = new PreparedEvents(program, input)
  return program.aggregates.map((aggregate) => sweepAggregate(aggregate, events, ranges[aggregate.window]!))
}

/** The same by the aggregations alone. */
export function interpretAggregates(program: ViewProgram, input: SweepInput): SweptColumn[] {
  const ranges = rangesOf(program.windows, input)
  const events = eventColumnsOf(program, input)
  return program.aggregates.map((aggregate) =>
    sweptColumn(kindOf(aggregate), interpretAggregate(aggregate, events, ranges[aggregate.window]!)),
  )
}

/** What several aggregates need of the same events, made once. */
class PreparedEvents {
  readonly program: ViewProgram
  readonly input: SweepInput
  readonly #made = new Map<string, unknown>()

  constructor(program: ViewProgram, input: SweepInput) {
    this.program = program
    this.input = input
  }

  get size(): number {
    return this.input.ts.length
  }

  column({ input }: AggregateProgram): SweepColumn {
    return this.input.columns[input!]!
  }

  /** 1 for each event that the aggregate takes in. */
  included(aggregate: AggregateProgram): Uint8Array {
    return this.#once('included', aggregate, () => {
      const { input, filter, takesNull } = aggregate
      const included = new Uint8Array(this.size).fill(1)
      if (input !== null && !takesNull) {
        const { values } = this.input.columns[input]!
        for (let event = 0; event < included.length; event++) if (Number.isNaN(values[event])) included[event] = 0
      }
      if (filter !== null) {
        const { values } = this.input.columns[filter]!
        for (let event = 0; event < included.length; event++) if (values[event] !== 1) included[event] = 0
      }
      return included
    })
  }

  /** How many events before each place are included. */
  counts(aggregate: AggregateProgram): Int32Array {
    return this.#once('counts', aggregate, () => {
      const included = this.included(aggregate)
      const counts = new Int32Array(this.size + 1)
      for (let event = 0; event < included.length; event++) counts[event + 1] = counts[event]! + included[event]!
      return counts
    })
  }

  sums(aggregate: AggregateProgram, { kind }: ColumnType): IntegerPrefixes | FloatPrefixes | null {
    return this.#once('sums', aggregate, () => {
      const { values } = this.column(aggregate)
      return kind === 'float'
        ? floatPrefixes(values, this.included(aggregate))
        : integerPrefixes(values, this.included(aggregate))
    })
  }

  /** The last included event before each place; -1 without one. */
  lasts(aggregate: AggregateProgram): Int32Array {
    return this.#once('lasts', aggregate, () => {
      const included = this.included(aggregate)
      const lasts = new Int32Array(this.size + 1)
      lasts[0] = -1
      for (let event = 0; event < included.length; event++) {
        lasts[event + 1] = included[event] === 1 ? event : lasts[event]!
      }
      return lasts
    })
  }

  /** The first included event from each place on; the number of events without one. */
  firsts(aggregate: AggregateProgram): Int32Array {
    return this.#once('firsts', aggregate, () => {
      const included = this.included(aggregate)
      const firsts = new Int32Array(this.size + 1)
      firsts[this.size] = this.size
      for (let event = this.size - 1; event >= 0; event--) {
        firsts[event] = included[event] === 1 ? event : firsts[event + 1]!
      }
      return firsts
    })
  }

  /** A number per different value, from 0 without gaps, -1 for null, and how many there are. */
  valueNumbers(aggregate: AggregateProgram): { readonly numbers: Int32Array; readonly count: number } {
    return this.#once('valueNumbers', { ...aggregate, filter: null }, () => {
      const { values, texts } = this.column(aggregate)
      if (texts !== null) {
        return { numbers: Int32Array.from(values, (value) => (Number.isNaN(value) ? -1 : value)), count: texts.length }
      }
      const numbers = new Int32Array(values.length)
      const known = new Map<number, number>()
      for (let event = 0; event < values.length; event++) {
        const value = values[event]!
        let number = Number.isNaN(value) ? -1 : known.get(value)
        if (number === undefined) known.set(value, (number = known.size))
        numbers[event] = number
      }
      return { numbers, count: known.size }
    })
  }

  /** Texts by their order: a greater text has a greater rank. */
  ranks(aggregate: AggregateProgram): { readonly values: Float64Array; readonly texts: readonly string[] } {
    return this.#once('ranks', { ...aggregate, filter: null }, () => {
      const { values, texts } = this.column(aggregate)
      const order = texts!.map((_, place) => place).sort((a, b) => compareStrings(texts![a]!, texts![b]!))
      const rankOf = new Float64Array(order.length)
      order.forEach((place, rank) => (rankOf[place] = rank))
      const ranks = values.map((value) => (Number.isNaN(value) ? value : rankOf[value]!))
      return { values: ranks, texts: order.map((place) => texts![place]!) }
    })
  }

  get plain(): EventColumns {
    return this.#make('plain', () => eventColumnsOf(this.program, this.input))
  }

  #once<Made>(what: string, { input, filter, takesNull }: AggregateProgram, make: () => Made): Made {
    return this.#make(`${what} ${input} ${filter} ${takesNull}`, make)
  }

  #make<Made>(name: string, make: () => Made): Made {
    if (!this.#made.has(name)) this.#made.set(name, make())
    return this.#made.get(name) as Made
  }
}

function sweepAggregate(aggregate: AggregateProgram, events: PreparedEvents, ranges: Ranges): SweptColumn {
  const { spec } = aggregate
  switch (spec.name) {
    case 'count':
      return sweepCount(aggregate, events, ranges)
    case 'sum':
    case 'mean': {
      const sums = events.sums(aggregate, spec.input)
      if (sums === null) break
      const sweep = { counts: events.counts(aggregate), ranges, isMean: spec.name === 'mean' }
      return sums.kind === 'float'
        ? sweepFloats(sums, sweep)
        : sweepIntegers(sums, { ...sweep, scale: scaleOf(spec.input) })
    }
    case 'min':
    case 'max':
      return sweepExtreme(aggregate, events, ranges)
    case 'first':
    case 'last':
    case 'latest':
      return sweepPick(aggregate, events, ranges)
    case 'lastK':
      return sweepLastK(aggregate, events, ranges)
    case 'distinctCount':
      return sweepDistinct(aggregate, events, ranges)
    case 'variance':
    case 'stddev':
      break
  }
  return sweptColumn(kindOf(aggregate), interpretAggregate(aggregate, events.plain, ranges))
}

/** What the values of an aggregate are. */
export function kindOf({ spec }: AggregateProgram): SweptColumn['kind'] {
  switch (spec.name) {
    case 'lastK':
      return 'list'
    case 'min':
    case 'max':
    case 'first':
    case 'last':
    case 'latest':
      return spec.input.kind === 'string' ? 'text' : spec.input.kind === 'boolean' ? 'boolean' : 'number'
    default:
      return 'number'
  }
}

function scaleOf(type: ColumnType): number {
  return type.kind === 'decimal' ? type.scale : 0
}

function sweepCount(aggregate: AggregateProgram, events: PreparedEvents, { low, high }: Ranges): SweptColumn {
  const values = new Float64Array(low.length)
  if (aggregate.filter === null) {
    for (let read = 0; read < values.length; read++) values[read] = high[read]! - low[read]!
  } else {
    const counts = events.counts(aggregate)
    for (let read = 0; read < values.length; read++) values[read] = counts[high[read]!]! - counts[low[read]!]!
  }
  return { kind: 'number', values }
}

type SumSweep = { readonly counts: Int32Array; readonly ranges: Ranges; readonly isMean: boolean }

function sweepIntegers(
  { sums }: IntegerPrefixes,
  { counts, ranges: { low, high }, isMean, scale }: SumSweep & { readonly scale: number },
): SweptColumn {
  const values = new Float64Array(low.length)
  const unit = 10 ** scale
  for (let read = 0; read < values.length; read++) {
    const sum = sums[high[read]!]! - sums[low[read]!]!
    if (!isMean) {
      values[read] = sum / unit
      continue
    }
    const count = counts[high[read]!]! - counts[low[read]!]!
    const divisor = count * unit
    if (count === 0) values[read] = Number.NaN
    else if (divisor <= Number.MAX_SAFE_INTEGER) values[read] = sum / divisor
    else values[read] = divideInteger({ small: sum, wide: null }, count, scale)
  }
  return { kind: 'number', values }
}

function sweepFloats(sums: FloatPrefixes, { counts, ranges: { low, high }, isMean }: SumSweep): SweptColumn {
  const values = new Float64Array(low.length)
  const expansion = makeFloatSum()
  const range = { from: 0, to: 0 }
  for (let read = 0; read < values.length; read++) {
    range.from = low[read]!
    range.to = high[read]!
    if (!isMean) {
      values[read] = rangeSum(sums, range.from, range.to)
      continue
    }
    const count = counts[range.to]! - counts[range.from]!
    if (count === 0) {
      values[read] = Number.NaN
      continue
    }
    rangeExpansion(sums, range, expansion)
    values[read] = divideFloat(expansion, count)
  }
  return { kind: 'number', values }
}

/**
 * A queue of the events that may still be the best: each better than all after it. What comes in drives out what it
 * beats, so the best is in front, and an event is put in and taken out once.
 */
function sweepExtreme(aggregate: AggregateProgram, events: PreparedEvents, { low, high }: Ranges): SweptColumn {
  const isText = kindOf(aggregate) === 'text'
  const { values: inputs } = isText ? events.ranks(aggregate) : events.column(aggregate)
  const sign = aggregate.spec.name === 'max' ? 1 : -1
  const included = events.included(aggregate)
  const queue = new Int32Array(events.size)
  const values = new Float64Array(low.length)
  let front = 0
  let back = 0
  let next = 0
  for (let read = 0; read < values.length; read++) {
    const from = low[read]!
    const to = high[read]!
    if (from >= next) {
      next = from
      front = back = 0
    }
    for (; next < to; next++) {
      if (included[next] === 0) continue
      const value = sign * inputs[next]!
      while (back > front && sign * inputs[queue[back - 1]!]! <= value) back -= 1
      queue[back++] = next
    }
    while (front < back && queue[front]! < from) front += 1
    values[read] = front === back ? Number.NaN : inputs[queue[front]!]! + 0
  }
  return isText ? { kind: 'text', values, texts: events.ranks(aggregate).texts } : outputs(aggregate, events, values)
}

function sweepPick(aggregate: AggregateProgram, events: PreparedEvents, { low, high }: Ranges): SweptColumn {
  const { values: inputs, texts } = events.column(aggregate)
  const values = new Float64Array(low.length)
  if (aggregate.spec.name === 'first') {
    const firsts = events.firsts(aggregate)
    for (let read = 0; read < values.length; read++) {
      const event = firsts[low[read]!]!
      values[read] = event < high[read]! ? inputs[event]! + 0 : Number.NaN
    }
  } else {
    const lasts = events.lasts(aggregate)
    for (let read = 0; read < values.length; read++) {
      const event = lasts[high[read]!]!
      values[read] = event >= low[read]! ? inputs[event]! + 0 : Number.NaN
    }
  }
  return texts === null ? outputs(aggregate, events, values) : { kind: 'text', values, texts }
}

/** Columns hold decimals as scaled integers; features are decimals again. */
function outputs({ input }: AggregateProgram, { program }: PreparedEvents, values: Float64Array): SweptColumn {
  const type = program.columns[input!]!
  if (type.kind === 'boolean') return { kind: 'boolean', values }
  const unit = 10 ** scaleOf(type)
  if (unit !== 1) for (let read = 0; read < values.length; read++) values[read] = values[read]! / unit
  return { kind: 'number', values }
}

function sweepLastK(aggregate: AggregateProgram, events: PreparedEvents, { low, high }: Ranges): SweptColumn {
  const { values: inputs, texts } = events.column(aggregate)
  const type = events.program.columns[aggregate.input!]!
  const unit = 10 ** scaleOf(type)
  const lasts = events.lasts(aggregate)
  const count = aggregate.spec.name === 'lastK' ? aggregate.spec.k : 0
  const values: FeatureValue[] = []
  for (let read = 0; read < low.length; read++) {
    const list: FeatureValue[] = []
    for (let event = lasts[high[read]!]!; event >= low[read]! && list.length < count; event = lasts[event]!) {
      const value = inputs[event]! + 0
      list.push(texts !== null ? texts[value]! : type.kind === 'boolean' ? value === 1 : value / unit)
    }
    values.push(list)
  }
  return { kind: 'list', values }
}

function sweepDistinct(aggregate: AggregateProgram, events: PreparedEvents, { low, high }: Ranges): SweptColumn {
  const { numbers, count } = events.valueNumbers(aggregate)
  const included = events.included(aggregate)
  const most = (aggregate.spec.name === 'distinctCount' ? aggregate.spec.cap : null) ?? Number.POSITIVE_INFINITY
  const times = new Int32Array(count)
  const values = new Float64Array(low.length)
  let distinct = 0
  let first = 0
  let next = 0
  for (let read = 0; read < values.length; read++) {
    const from = low[read]!
    const to = high[read]!
    for (; first < from && first < next; first++) {
      if (included[first] === 1 && (times[numbers[first]!]! -= 1) === 0) distinct -= 1
    }
    if (next < from) first = next = from
    for (; next < to; next++) {
      if (included[next] === 1 && (times[numbers[next]!]! += 1) === 1) distinct += 1
    }
    values[read] = Math.min(distinct, most)
  }
  return { kind: 'number', values }
}
