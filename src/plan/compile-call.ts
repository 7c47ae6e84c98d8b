import { parseDuration } from '../base/duration.ts'
import { canonicalJson } from '../base/hash.ts'
import type { Stream } from '../definition/stream.ts'
import type { AggregationSpec, ColumnType } from '../kernel/aggregation.ts'
import { makeAggregation } from '../kernel/aggregations/make-aggregation.ts'
import type { AggregateProgram, ViewProgram, WindowProgram } from '../kernel/program.ts'
import { spanOf } from '../kernel/tiling.ts'
import type { Evaluator } from '../schema/evaluate.ts'
import type { AggregateCall, Expression, Precision } from '../schema/expression.ts'
import { makeEvaluator, type SlotOf } from '../schema/generate-expression.ts'
import { describe, type Row } from '../schema/decode.ts'
import { nameOfType, type TypedNullable, type ValueType } from '../schema/value-type.ts'
import { typeOf } from './check-expression.ts'
import { checkDuration } from './check-names.ts'
import { eventSlots } from './event-slots.ts'
import type { FaultList } from './faults.ts'
import { callKey } from './fingerprint.ts'

/** A column of raw events: a field as it is, or computed from several. */
export type ProgramColumn = {
  readonly type: ColumnType
  readonly evaluate: Evaluator<Row>
  readonly computed: boolean
  /** Row index of the field that it is; null when computed. */
  readonly field: number | null
  readonly tree: Expression
}

/** Gathers the columns, windows and aggregates of a view; what two features share is there once. */
export type ProgramBuilder = {
  readonly stream: Stream
  column(tree: Expression, type: ColumnType): number
  window(window: WindowProgram): number
  /** `ordered`: its value depends on the order of events. */
  aggregate(key: string, make: () => { aggregate: AggregateProgram; ordered: boolean }): number
  columns(): readonly ProgramColumn[]
  build(): ViewProgram
}

export function makeProgramBuilder(stream: Stream, horizonMs: number): ProgramBuilder {
  const columns = new Map<string, ProgramColumn>()
  const windows: WindowProgram[] = []
  const aggregates = new Map<string, { aggregate: AggregateProgram; ordered: boolean }>()
  const slotOf = eventSlots(stream.fields)
  return {
    stream,
    column(tree, type) {
      const key = canonicalJson(tree)
      if (!columns.has(key)) {
        const field = tree.op === 'field' ? Object.keys(stream.fields).indexOf(tree.name) : null
        columns.set(key, { type, evaluate: compileColumn(tree, stream, slotOf), computed: field === null, field, tree })
      }
      return [...columns.keys()].indexOf(key)
    },
    window(window) {
      const found = windows.findIndex(
        ({ lengthMs, offsetMs, hopMs }) =>
          lengthMs === window.lengthMs && offsetMs === window.offsetMs && hopMs === window.hopMs,
      )
      return found >= 0 ? found : windows.push(window) - 1
    },
    aggregate(key, make) {
      if (!aggregates.has(key)) aggregates.set(key, make())
      return [...aggregates.keys()].indexOf(key)
    },
    columns: () => [...columns.values()],
    build: () => {
      const own = [...aggregates.values()].map(({ aggregate }) => aggregate)
      return {
        columns: [...columns.values()].map(({ type }) => type),
        windows,
        aggregates: own,
        keepsTies: [...aggregates.values()].some(({ ordered }) => ordered),
        horizonMs,
        ...spanOf({ windows, aggregates: own }),
      }
    },
  }
}

/** A field alone keeps its own form (a decimal its scaled integer); anything computed is evaluated once per event. */
function compileColumn(tree: Expression, stream: Stream, slotOf: SlotOf): Evaluator<Row> {
  if (tree.op !== 'field') return makeEvaluator(tree, slotOf)
  const index = Object.keys(stream.fields).indexOf(tree.name)
  return (row) => row[index]!
}

type Context = { readonly builder: ProgramBuilder; readonly faults: FaultList; readonly path: string }

/** Checks one aggregation and gives it a slot in the program. */
export function compileCall(call: AggregateCall, context: Context): { slot: number; type: TypedNullable } | null {
  const { builder, faults, path } = context
  const before = faults.list.length
  const input = call.input === null ? null : columnType(call.input, 'input', context)
  const filter = call.filter === null ? null : columnType(call.filter, 'where', context)
  if (call.filter !== null && filter !== null && filter.kind !== 'boolean') {
    faults.add(`${path}.where`, `the filter gives ${nameOfType(filter)}`, 'a filter is a condition')
  }
  const window = checkWindow(call, context)
  checkOptions(call, context)
  if (faults.list.length > before) return null
  const spec = checkAggregation(call, input, context)
  if (spec === null) return null
  const slot = builder.aggregate(callKey(call), () => ({
    aggregate: {
      spec,
      aggregation: makeAggregation(spec),
      input: call.input === null ? null : builder.column(call.input, input!),
      filter: call.filter === null ? null : builder.column(call.filter, { kind: 'boolean' }),
      window: builder.window(window),
      takesNull: spec.name === 'latest',
    },
    ordered: ['first', 'last', 'lastK', 'latest'].includes(spec.name),
  }))
  return { slot, type: resultType(spec) }
}

function columnType(tree: Expression, what: string, { builder, faults, path }: Context): ColumnType | null {
  const { name, fields } = builder.stream
  const found = typeOf(tree, { scope: { kind: 'event', stream: name, fields }, path: `${path}.${what}`, faults })
  if (found === null) return null
  if (found.type.kind !== 'list') return found.type
  faults.add(`${path}.${what}`, `the ${what} gives ${nameOfType(found.type)}`, 'one value; a list only in on.row(…)')
  return null
}

function checkWindow({ window }: AggregateCall, context: Context): WindowProgram {
  const { faults, path } = context
  if (window.over === 'lifetime') {
    if (window.offset !== null) faults.add(`${path}.offset`, 'a lifetime has an offset', 'leave the offset out')
    if (window.precision !== undefined) {
      faults.add(`${path}.precision`, 'a lifetime has a precision', 'leave the precision out: nothing ever falls out')
    }
    return { lengthMs: null, offsetMs: 0 }
  }
  const lengthMs = checkDuration(`${path}.over`, window.over, faults)
  const offsetMs = window.offset === null ? 0 : checkDuration(`${path}.offset`, window.offset, faults)
  if (typeof window.over === 'string' && parseDuration(window.over) === 0) {
    faults.add(`${path}.over`, `the window ${JSON.stringify(window.over)} is empty`, 'at least 1ms, or "lifetime"')
  }
  if (window.precision === undefined) return { lengthMs, offsetMs }
  return { lengthMs, offsetMs, hopMs: checkHop(window.precision, { over: window.over, lengthMs }, context) }
}

type Length = { readonly over: string; readonly lengthMs: number }

function checkHop(precision: Precision, { over, lengthMs }: Length, { faults, path: call }: Context): number {
  const path = `${call}.precision`
  const known = typeof precision === 'object' && precision !== null && Object.keys(precision).join() === 'sawtooth'
  if (!known) {
    faults.add(path, `${JSON.stringify(precision)} is no precision`, "sawtooth('6h'), or leave it out: exact")
    return 0
  }
  const { sawtooth } = precision
  const hopMs = checkDuration(path, sawtooth, faults)
  if (typeof sawtooth === 'string' && parseDuration(sawtooth) === 0) {
    faults.add(path, `the hop ${JSON.stringify(sawtooth)} is empty`, 'at least 1ms, or leave the precision out: exact')
  }
  if (hopMs > lengthMs && lengthMs > 0) {
    const fault = `the hop ${JSON.stringify(sawtooth)} is longer than the window ${JSON.stringify(over)}`
    faults.add(path, fault, `at most ${over}; a hundredth of it makes it up to 1 % longer`)
  }
  return hopMs
}

const optionsOf: Readonly<Record<string, readonly string[]>> = {
  lastK: ['k'],
  distinctCount: ['cap'],
  variance: ['of'],
  stddev: ['of'],
}

/** A misspelt option would otherwise be as good as none. */
function checkOptions({ name, options }: AggregateCall, { faults, path }: Context): void {
  const known = optionsOf[name] ?? []
  for (const option of Object.keys(options)) {
    if (!known.includes(option))
      faults.unknown(path, 'option', { name: option, declared: ['over', 'offset', 'precision', ...known] })
  }
}

const lastKMax = 1_000
const capMax = 1_000_000

function checkAggregation(
  call: AggregateCall,
  input: ColumnType | null,
  { faults, path }: Context,
): AggregationSpec | null {
  const { name, options, window } = call
  if (name === 'count') return { name }
  if (input === null) {
    faults.add(path, `"${name}" has no input`, 'name a field, or give an expression of the event')
    return null
  }
  const fault = (problem: string, allowed: string): null => {
    faults.add(path, problem, allowed)
    return null
  }
  const numeric = input.kind !== 'string' && input.kind !== 'timestamp'
  switch (name) {
    case 'sum':
    case 'mean':
      return numeric ? { name, input } : fault(`"${name}" got ${nameOfType(input)}`, 'it takes numbers and booleans')
    case 'variance':
    case 'stddev': {
      if (!numeric) return fault(`"${name}" got ${nameOfType(input)}`, 'it takes numbers and booleans')
      const { of = 'sample' } = options
      if (of === 'sample' || of === 'population') return { name, input, of }
      return fault(`"${name}" got of = ${describe(of)}`, '"sample" or "population"')
    }
    case 'min':
    case 'max':
    case 'first':
    case 'last':
    case 'latest':
      return { name, input }
    case 'lastK': {
      const { k = 0 } = options
      if (Number.isInteger(k) && k >= 1 && k <= lastKMax) return { name, input, k }
      return fault(`"lastK" got k = ${k}`, `a whole number from 1 to ${lastKMax}`)
    }
    case 'distinctCount': {
      const { cap = null } = options
      if (cap === null && window.over === 'lifetime') {
        return fault('"distinctCount" over a lifetime has no bound', 'add cap: 10000, or use a window')
      }
      if (cap === null && window.precision !== undefined) {
        return fault('"distinctCount" in a sawtooth window has no bound', 'add cap: 10000, or leave the precision out')
      }
      if (cap === null || (Number.isInteger(cap) && cap >= 1 && cap <= capMax)) return { name, input, cap }
      return fault(`"distinctCount" got cap = ${cap}`, `a whole number from 1 to ${capMax}`)
    }
    default:
      return fault(`aggregation "${name}" does not exist`, 'see the Aggregations interface')
  }
}

function resultType(spec: AggregationSpec): TypedNullable {
  switch (spec.name) {
    case 'count':
    case 'distinctCount':
      return { type: { kind: 'int' }, nullable: false }
    case 'sum':
      return { type: sumType(spec.input), nullable: false }
    case 'mean':
    case 'variance':
    case 'stddev':
      return { type: { kind: 'float' }, nullable: true }
    case 'lastK':
      return { type: { kind: 'list', of: spec.input }, nullable: false }
    default:
      return { type: spec.input, nullable: true }
  }
}

/** A sum may leave the safe integers; it is rounded once, to the nearest number. */
function sumType(input: ColumnType): ValueType {
  return input.kind === 'boolean' ? { kind: 'int' } : { kind: 'float' }
}
